// Where a character's head is.
using UnityEngine;

namespace Visavis
{
    internal static class Bones
    {
        /// <summary>A humanoid's head, or the first transform below whose name ends with "head"; null: there is none.</summary>
        internal static Transform FindHead(Transform root)
        {
            Animator animator = root.GetComponentInChildren<Animator>();
            Transform head = animator != null && animator.isHuman ? animator.GetBoneTransform(HumanBodyBones.Head) : null;
            return head != null ? head : Named(root);
        }

        static Transform Named(Transform above)
        {
            for (int i = 0; i < above.childCount; ++i)
            {
                Transform child = above.GetChild(i);
                // A mesh called "Head" is no bone: turning it would leave its skin where it is.
                bool bone = child.GetComponent<Renderer>() == null && VisavisShapes.Plain(child.name).EndsWith("head");
                Transform found = bone ? child : Named(child);
                if (found != null) return found;
            }
            return null;
        }
    }
}
