// Our own stand-in for the part of UnityEngine that the package uses: meshes, animators, sound, the microphone.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public class Renderer : Component { }

    public sealed class Mesh : Object
    {
        public readonly List<string> Names = new List<string>();
        public float Full = 100f;
        public int blendShapeCount { get { return Names.Count; } }
        public string GetBlendShapeName(int index) { return Names[index]; }
        public int GetBlendShapeFrameCount(int index) { return 1; }
        public float GetBlendShapeFrameWeight(int index, int frame) { return Full; }
    }

    public sealed class SkinnedMeshRenderer : Renderer
    {
        Mesh _mesh;
        float[] _weights;
        public int Writes;
        public Mesh sharedMesh { get { return _mesh; } set { _mesh = value; _weights = new float[value.blendShapeCount]; } }
        public float GetBlendShapeWeight(int index) { return _weights[index]; }
        public void SetBlendShapeWeight(int index, float weight) { _weights[index] = weight; ++Writes; }
    }

    public enum KeyCode { Space, Backspace, J }

    public static class Input
    {
        public static KeyCode? Down;
        public static bool GetKeyDown(KeyCode key) { return Down == key; }
    }

    public enum HumanBodyBones { Head = 10 }

    public sealed class Animator : Behaviour
    {
        public Transform Head;
        public bool isHuman { get { return Head != null; } }
        public Transform GetBoneTransform(HumanBodyBones bone) { return Head; }
    }

    public sealed class TextAsset : Object
    {
        public byte[] bytes { get; private set; }
        public TextAsset(byte[] bytes) { this.bytes = bytes; }
    }

    public static class AudioSettings
    {
        public static int outputSampleRate = 48000;
        public static void GetDSPBufferSize(out int bufferLength, out int numBuffers) { bufferLength = 480; numBuffers = 2; }
    }

    public sealed class AudioClip : Object
    {
        internal float[] Data;
        public int samples { get { return Data.Length / channels; } }
        public int channels { get; private set; }
        public int frequency { get; private set; }

        public static AudioClip Create(string name, int lengthSamples, int channels, int frequency, bool stream)
        {
            return new AudioClip { name = name, Data = new float[lengthSamples * channels], channels = channels, frequency = frequency };
        }

        public bool SetData(float[] data, int offset) { Data = data; return true; }

        public bool GetData(float[] data, int offset)
        {
            for (int i = 0; i < data.Length; ++i) data[i] = Data[(offset * channels + i) % Data.Length];
            return true;
        }
    }

    public sealed class AudioSource : Behaviour
    {
        public AudioClip clip { get; set; }
        public bool loop { get; set; }
        public bool isPlaying { get; private set; }
        public void Play() { isPlaying = true; }
        public void Stop() { isPlaying = false; }

        internal void Fill(float[] block, int outputs)
        {
            for (int i = 0; i < block.Length; ++i) block[i] = isPlaying ? clip.Data[i / outputs % clip.Data.Length] : 0f;
        }
    }

    /// <summary>A microphone whose samples a test writes.</summary>
    public static class Microphone
    {
        public static string[] devices = { "stand-in" };
        public static AudioClip Recording;
        public static int Position;

        public static AudioClip Start(string deviceName, bool loop, int lengthSec, int frequency)
        {
            return Recording = AudioClip.Create("microphone", lengthSec * frequency, 1, frequency, false);
        }

        public static void End(string deviceName) { Recording = null; }
        public static int GetPosition(string deviceName) { return Position; }

        public static void Hear(float[] samples)
        {
            foreach (float sample in samples)
            {
                Recording.Data[Position] = sample;
                Position = (Position + 1) % Recording.samples;
            }
        }
    }
}
