// Our own stand-in for Unity's player loop: the messages of a component, found by name as Unity finds them.
using System;
using System.Collections.Generic;
using System.Reflection;

namespace UnityEngine
{
    /// <summary>What a game's frame is.  The loop itself allocates nothing.</summary>
    public static class Player
    {
        static readonly List<MonoBehaviour> Running = new List<MonoBehaviour>();

        internal static void Start(MonoBehaviour made)
        {
            made.OnEnabled = Message(made, "OnEnable");
            made.OnDisabled = Message(made, "OnDisable");
            made.OnUpdate = Message(made, "Update");
            made.OnLateUpdate = Message(made, "LateUpdate");
            MethodInfo filter = Method(made, "OnAudioFilterRead");
            if (filter != null)
            {
                made.OnFilter = (Action<float[], int>)Delegate.CreateDelegate(typeof(Action<float[], int>), made, filter);
            }
            made.OnStart = Message(made, "Start");
            Running.Add(made);
            Enable(made, made.gameObject.activeSelf);
        }

        internal static void Enable(Behaviour what, bool on)
        {
            if (what.On == on) return;
            what.On = on;
            var behaviour = what as MonoBehaviour;
            if (behaviour == null) return;
            Action message = on ? behaviour.OnEnabled : behaviour.OnDisabled;
            if (message != null) message();
        }

        /// <summary>One frame of the game.</summary>
        public static void Frame(float seconds)
        {
            Time.deltaTime = Time.unscaledDeltaTime = seconds;
            ++Time.frameCount;
            for (int i = 0; i < Running.Count; ++i) Begin(Running[i]);
            for (int i = 0; i < Running.Count; ++i) if (Running[i].On && Running[i].OnUpdate != null) Running[i].OnUpdate();
            for (int i = 0; i < Running.Count; ++i) if (Running[i].On && Running[i].OnLateUpdate != null) Running[i].OnLateUpdate();
        }

        static void Begin(MonoBehaviour what)
        {
            if (!what.On || what.OnStart == null) return;
            Action start = what.OnStart;
            what.OnStart = null;
            start();
        }

        /// <summary>One block of sound: each playing AudioSource's clip, 2D, through the filters of its object.</summary>
        public static void Mix(float[] block, int channels)
        {
            for (int i = 0; i < Running.Count; ++i)
            {
                MonoBehaviour filter = Running[i];
                if (!filter.On || filter.OnFilter == null) continue;
                filter.GetComponent<AudioSource>().Fill(block, channels);
                filter.OnFilter(block, channels);
            }
        }

        public static void Quit()
        {
            for (int i = Running.Count - 1; i >= 0; --i) Enable(Running[i], false);
            Running.Clear();
        }

        static Action Message(MonoBehaviour of, string name)
        {
            MethodInfo method = Method(of, name);
            return method == null ? null : (Action)Delegate.CreateDelegate(typeof(Action), of, method);
        }

        static MethodInfo Method(MonoBehaviour of, string name)
        {
            return of.GetType().GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public);
        }
    }

    public static class Time
    {
        static readonly DateTime Begin = DateTime.UtcNow;
        public static float deltaTime { get; internal set; }
        public static float unscaledDeltaTime { get; internal set; }
        public static float realtimeSinceStartup { get { return (float)(DateTime.UtcNow - Begin).TotalSeconds; } }
        public static int frameCount { get; internal set; }
    }

    public static class Application
    {
        public static bool isPlaying = true;
        public static string streamingAssetsPath = "";
    }

    /// <summary>Keeps what was logged.</summary>
    public static class Debug
    {
        public static readonly List<string> Lines = new List<string>();
        public static void Log(object what, Object about = null) { Keep("info", what); }
        public static void LogWarning(object what, Object about = null) { Keep("warning", what); }
        public static void LogError(object what, Object about = null) { Keep("error", what); }
        static void Keep(string level, object what) { lock (Lines) Lines.Add(level + ": " + what); }
    }
}
