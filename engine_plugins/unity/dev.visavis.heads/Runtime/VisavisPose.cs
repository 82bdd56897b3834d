// A face at one moment: what a source fills and a head shows.
using System;

namespace Visavis
{
    /// <summary>What a pose is: who speaks, and whether frames come.</summary>
    [Flags]
    public enum VisavisState
    {
        None = 0,
        Speaking = 1,
        Listening = 2,
        Held = 16,
        Easing = 32,
        Neutral = 64,
    }

    /// <summary>52 ARKit weights (0 to 1) and the head's angles (radians, ARKit's axes).  Made once, filled each frame.</summary>
    public sealed class VisavisPose
    {
        public readonly float[] Weights = new float[VisavisShapes.Count];
        public float Yaw, Pitch, Roll;
        public VisavisState State = VisavisState.Neutral;
        /// <summary>Session time that is shown, for scene time and timecode.</summary>
        public long SessionNs;
        /// <summary>Another number: the session clock began anew.</summary>
        public uint Epoch;

        /// <summary>Everything times `factor`, 0 to 1: on the way to neutral.</summary>
        public void Scale(float factor)
        {
            for (int shape = 0; shape < VisavisShapes.Count; ++shape) Weights[shape] *= factor;
            Yaw *= factor;
            Pitch *= factor;
            Roll *= factor;
            State = factor > 0f ? VisavisState.Easing : VisavisState.Neutral;
        }
    }
}
