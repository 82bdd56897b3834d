// A bone that is turned in the axes of the character, whatever its own are, on top of whatever animates it.
using UnityEngine;

namespace Visavis
{
    internal sealed class TurnedBone
    {
        readonly Transform _bone;
        readonly Quaternion _parentInFace; // axes of the bone's parent, seen from the face's axes, as bound
        readonly Quaternion _faceInParent;
        Quaternion _base, _written;

        /// <summary>`face`: whose +Z is where the face looks at rest.</summary>
        internal TurnedBone(Transform bone, Transform face)
        {
            _bone = bone;
            Quaternion parent = bone.parent == null ? Quaternion.identity : bone.parent.rotation;
            _parentInFace = Quaternion.Inverse(face.rotation) * parent;
            _faceInParent = Quaternion.Inverse(_parentInFace);
            _base = _written = bone.localRotation;
        }

        /// <summary>After the animation of the frame.</summary>
        internal void Turn(Quaternion rotation)
        {
            if (_bone == null) return;
            Quaternion found = _bone.localRotation;
            if (!Same(found, _written)) _base = found; // an Animator has set it since; else nobody has
            _written = _faceInParent * rotation * _parentInFace * _base;
            _bone.localRotation = _written;
        }

        /// <summary>As it would be without us.</summary>
        internal void Release() { Turn(Quaternion.identity); }

        // Exactly, but for what Unity's own normalisation may change.
        static bool Same(Quaternion a, Quaternion b)
        {
            const float tolerance = 1e-6f;
            return Mathf.Abs(a.x - b.x) < tolerance && Mathf.Abs(a.y - b.y) < tolerance &&
                   Mathf.Abs(a.z - b.z) < tolerance && Mathf.Abs(a.w - b.w) < tolerance;
        }
    }
}
