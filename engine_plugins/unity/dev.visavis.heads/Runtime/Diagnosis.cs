// Why nothing moves: from the mesh to the server, in the order in which to look.
using System.Collections.Generic;
using UnityEngine;

namespace Visavis
{
    /// <summary>For the editor's window and inspectors, and for games that want to show it themselves.</summary>
    public static class Diagnosis
    {
        /// <summary>What is wrong with meshes and source of a head; null: nothing.</summary>
        public static string OfRig(VisavisHead head)
        {
            if (head.Source == null)
            {
                return "The head \"" + head.name + "\" has no source: add a VisavisCharacter (computed in the game) or a " +
                       "VisavisStream (computed by a server) to it or above it, or set its Source.";
            }
            if (head.BlendShapesDriven == 0)
            {
                return "The head \"" + head.name + "\" has no mesh with ARKit blend shapes (jawOpen, eyeBlink_L, " +
                       "blendShape1.jawOpen and the like): set its Renderers, and tick Import BlendShapes in the model's import " +
                       "settings.";
            }
            return null;
        }

        /// <summary>All that can be said about a head, a line each; the first is the one to mend first.</summary>
        public static void Explain(VisavisHead head, List<string> lines)
        {
            lines.Clear();
            string rig = OfRig(head);
            if (rig != null) lines.Add(rig);
            if (!head.isActiveAndEnabled) lines.Add("The head \"" + head.name + "\" is not enabled.");
            if (head.Source != null)
            {
                if (!head.Source.isActiveAndEnabled) lines.Add("Its source \"" + head.Source.name + "\" is not enabled.");
                else lines.Add(head.Source.Status);
            }
            if (head.Weight == 0f) lines.Add("Its Weight is 0: no shape is shown.");
            if (head.HeadBone == null) lines.Add("It has no head bone: the head does not turn. Set its Head Bone.");
            else if (head.HeadWeight == 0f) lines.Add("Its Head Weight is 0: the head does not turn.");
            if (head.BlendShapesDriven > 0 && head.ShapesFound < VisavisShapes.Count)
            {
                lines.Add("Its meshes have " + head.ShapesFound + " of the 52 ARKit shapes; the others are not seen.");
            }
        }
    }
}
