// Unity's sound: how late it is, what may be pushed, what a clip holds.
using System;
using UnityEngine;

namespace Visavis
{
    internal static class Sound
    {
        /// <summary>From a filter's samples to the loudspeaker: `given`, or, below 0, what Unity's own buffers hold.</summary>
        internal static float OutputSeconds(float given)
        {
            if (given >= 0f) return given;
            int length, count;
            AudioSettings.GetDSPBufferSize(out length, out count);
            return (float)length * count / Math.Max(1, AudioSettings.outputSampleRate);
        }

        internal static void Check(float[] samples, int count, int rate)
        {
            if (samples == null || count < 1 || count > samples.Length || rate < 8000 || rate > 192000)
            {
                throw new ArgumentException("Sound: found " + count + " samples of " + (samples == null ? 0 : samples.Length) +
                                            " at " + rate + " Hz; expected 1 or more of them, at 8000 to 192000 Hz");
            }
        }

        /// <summary>A clip's samples, its channels mixed; null, and said in the log: it cannot be read.</summary>
        internal static float[] Mono(AudioClip clip, UnityEngine.Object about)
        {
            if (clip == null) return null;
            var interleaved = new float[clip.samples * clip.channels];
            if (interleaved.Length == 0 || !clip.GetData(interleaved, 0))
            {
                Report.Problem("The clip \"" + clip.name + "\" cannot be read; set its Load Type to Decompress On Load.", about);
                return null;
            }
            if (clip.channels == 1) return interleaved;
            var mono = new float[clip.samples];
            for (int i = 0; i < mono.Length; ++i)
            {
                for (int c = 0; c < clip.channels; ++c) mono[i] += interleaved[i * clip.channels + c] / clip.channels;
            }
            return mono;
        }
    }
}
