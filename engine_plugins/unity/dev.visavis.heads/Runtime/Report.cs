// Visavis in Unity's log: every problem once, with its remedy, until it changes.
using System.Collections.Generic;
using System.Text;
using UnityEngine;

namespace Visavis
{
    internal static class Report
    {
        const int MaxRemembered = 64;
        const float AgainSeconds = 10f; // the same warning of another character
        static readonly List<string> Said = new List<string>();
        static string _warned = "";
        static float _warnedAt;

        // Before each play, also where the editor keeps static fields from one to the next.
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        static void Begin()
        {
            Said.Clear();
            _warned = "";
            Libraries.AskAgain();
        }

        /// <summary>A line of a native library's log: 0 error, 1 warning, 2 information.</summary>
        internal static void Line(int level, string text)
        {
            if (level == 0) Debug.LogError("Visavis: " + text);
            else if (level == 1) Debug.LogWarning("Visavis: " + text);
            else Debug.Log("Visavis: " + text);
        }

        /// <summary>A problem of a component, once however many characters have it.</summary>
        internal static void Problem(string text, Object about)
        {
            string reason = WithoutNumbers(text);
            if (Said.Contains(reason)) return;
            if (Said.Count >= MaxRemembered) Said.Clear();
            Said.Add(reason);
            Debug.LogError("Visavis: " + text, about);
        }

        // "no frame for 3.1 s" and "no frame for 4.1 s" are one reason.
        internal static bool IsNumber(char c) { return (c >= '0' && c <= '9') || c == '.'; }

        static string WithoutNumbers(string text)
        {
            var rest = new StringBuilder(text.Length);
            foreach (char c in text)
            {
                if (!IsNumber(c)) rest.Append(c);
            }
            return rest.ToString();
        }

        /// <summary>Something that may pass: once for all characters that have it at the same time.</summary>
        internal static void Warning(string text, Object about)
        {
            float now = Time.realtimeSinceStartup;
            if (text == _warned && now - _warnedAt < AgainSeconds) return;
            _warned = text;
            _warnedAt = now;
            Debug.LogWarning("Visavis: " + text, about);
        }
    }

    /// <summary>Says why a head does not move, when it has not for a while, once for each reason.</summary>
    internal sealed class StillnessWatch
    {
        internal const int TextBytes = 1024;
        const float PatienceSeconds = 3f, AgainSeconds = 1f;
        readonly byte[] _text = new byte[TextBytes], _said = new byte[TextBytes];
        float _stillSeconds, _sinceAsked;

        /// <summary>Each frame.  True: it is time to read the status into Text and call Say.</summary>
        internal bool IsDue(bool moves, float deltaSeconds)
        {
            if (moves)
            {
                _stillSeconds = 0f;
                _said[0] = 0;
                return false;
            }
            _stillSeconds += deltaSeconds;
            _sinceAsked += deltaSeconds;
            if (_stillSeconds < PatienceSeconds || _sinceAsked < AgainSeconds) return false;
            _sinceAsked = 0f;
            return true;
        }

        internal byte[] Text { get { return _text; } }

        internal void Say(Object about)
        {
            if (SameButNumbers(_text, _said)) return;
            System.Array.Copy(_text, _said, _text.Length);
            Report.Warning(Utf8.Decode(_text), about);
        }

        static bool SameButNumbers(byte[] a, byte[] b)
        {
            int i = 0, j = 0;
            for (;;)
            {
                while (Report.IsNumber((char)a[i])) ++i;
                while (Report.IsNumber((char)b[j])) ++j;
                if (a[i] != b[j]) return false;
                if (a[i] == 0) return true;
                ++i;
                ++j;
            }
        }
    }
}
