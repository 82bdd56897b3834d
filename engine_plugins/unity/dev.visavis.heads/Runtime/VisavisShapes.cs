// The 52 ARKit shapes by name, and the many ways in which meshes spell them.
using System;
using System.Text;

namespace Visavis
{
    /// <summary>The 52 ARKit shapes in the order of a pose's weights.</summary>
    public static class VisavisShapes
    {
        public const int Count = 52;

        static readonly string[] Names =
        {
            "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft",
            "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight",
            "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
            "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight",
            "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
            "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
            "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
            "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
        };

        /// <summary>Name of shape 0 to 51, such as "jawOpen".</summary>
        public static string Name(int shape) { return Names[shape]; }

        /// <summary>
        /// The shape that a blend shape's name means, or -1: jawOpen, JawOpen, jaw_open, blendShape1.jawOpen, eyeBlink_L,
        /// EyeBlinkL, ARKit:eye_blink_left.  Allocates: for set-up.
        /// </summary>
        public static int Find(string blendShape)
        {
            if (string.IsNullOrEmpty(blendShape)) return -1;
            int prefix = blendShape.LastIndexOfAny(new[] { '.', ':', '|' });
            string name = blendShape.Substring(prefix + 1);
            int shape = IndexOf(Plain(name));
            if (shape >= 0 || name.Length < 2) return shape;
            char side = name[name.Length - 1]; // eyeBlink_L, EyeBlinkL; not the l of a word
            char before = name[name.Length - 2];
            bool marked = char.IsUpper(side) || before == '_' || before == '-' || before == ' ';
            if (!marked) return -1;
            string rest = Plain(name.Substring(0, name.Length - 1));
            side = char.ToUpperInvariant(side);
            return side == 'L' ? IndexOf(rest + "left") : side == 'R' ? IndexOf(rest + "right") : -1;
        }

        /// <summary>Letters and digits alone, lower case.</summary>
        internal static string Plain(string name)
        {
            var plain = new StringBuilder(name.Length);
            foreach (char c in name)
            {
                if (char.IsLetterOrDigit(c)) plain.Append(char.ToLowerInvariant(c));
            }
            return plain.ToString();
        }

        static int IndexOf(string plain)
        {
            for (int shape = 0; shape < Count; ++shape)
            {
                if (string.Equals(Names[shape], plain, StringComparison.OrdinalIgnoreCase)) return shape;
            }
            return -1;
        }
    }
}
