// Where heads live: a connection to a server, or the runtime inside the game.  Shared by the characters that are there.
using System;
using System.Threading;

namespace Visavis
{
    /// <summary>How a head is, for what a source does about it.</summary>
    internal struct HeadVitals
    {
        public bool Reachable;     // voices sent now arrive
        public bool CanAsk;        // so do requests
        public bool Moves;         // frames have come in the last second
        public uint Epoch;         // another number: its conversation began anew
    }

    internal abstract unsafe class HeadHost
    {
        const int LineBytes = 1024;
        const long StillNs = 1000000000; // without a frame for so long a head does not move

        readonly object _voiceGate = new object(); // between closing and the audio thread; held for microseconds
        readonly byte[] _line = new byte[LineBytes];
        int _users, _pumpedFrame = -1;
        bool _released;

        /// <summary>The native handle; zero once it is closed, and until it is open.</summary>
        protected IntPtr Native { get; private set; }

        // ---- Life ----

        internal void Hold() { ++_users; }

        /// <summary>Once it is open, on any thread.</summary>
        protected void Publish(IntPtr native)
        {
            lock (_voiceGate)
            {
                if (!_released)
                {
                    Native = native;
                    return;
                }
            }
            CloseNative(native); // nobody waited
        }

        /// <summary>The last user's release ends the native side.  Its thread is joined beside the game, not in it.</summary>
        internal void Release()
        {
            if (--_users > 0) return;
            Forget();
            IntPtr native;
            lock (_voiceGate)
            {
                native = Native;
                Native = IntPtr.Zero;
                _released = true;
            }
            if (native != IntPtr.Zero) new Thread(CloseNative) { IsBackground = true, Name = "Visavis close" }.Start(native);
        }

        /// <summary>Whether it is open.</summary>
        protected bool IsOpen { get { lock (_voiceGate) return Native != IntPtr.Zero; } }

        /// <summary>No longer to be found by new users.</summary>
        protected abstract void Forget();
        protected abstract void CloseNative(object native);

        /// <summary>True: heads can be opened.  False with a problem: never; without: not yet.</summary>
        internal virtual bool IsReady(out string problem)
        {
            problem = null;
            return true;
        }

        /// <summary>Whether a head that could not be opened may be tried again: there may be room later.</summary>
        internal virtual bool MayHaveRoom { get { return false; } }

        internal abstract void Close(int head);

        // ---- Faces and voices ----

        internal abstract bool Sample(int head, VisavisPose pose);
        internal abstract bool SendUserAudio(int head, float[] samples, int count, int rate, double ageSeconds);
        /// <summary>Behind what was sent before.  False: no room, try again later.</summary>
        internal abstract bool SendAgentAudio(int head, float[] samples, int offset, int count, int rate);
        internal abstract bool SendUserFace(int head, float[] values);
        internal abstract void Cancel(int head);
        internal abstract void SetDial(int head, byte[] dial, double value);
        protected abstract bool ReadNativeVoice(int head, float* samples, uint count, uint rate);

        /// <summary>On the audio thread.</summary>
        internal bool ReadVoice(int head, float[] samples, int count, int rate)
        {
            lock (_voiceGate)
            {
                if (Native == IntPtr.Zero) return false;
                fixed (float* first = samples) return ReadNativeVoice(head, first, (uint)count, (uint)rate);
            }
        }

        protected static void Copy(NativeFrame* frame, VisavisPose pose)
        {
            for (int shape = 0; shape < VisavisShapes.Count; ++shape) pose.Weights[shape] = frame->shapes[shape];
            pose.Yaw = frame->yaw;
            pose.Pitch = frame->pitch;
            pose.Roll = frame->roll;
            pose.State = (VisavisState)frame->state;
            pose.SessionNs = frame->session_ns;
            pose.Epoch = frame->epoch;
        }

        protected static bool IsFresh(long silenceNs) { return silenceNs >= 0 && silenceNs < StillNs; }

        protected static long Nanoseconds(double seconds) { return (long)(seconds * 1e9); }

        // ---- What is going on ----

        internal abstract bool GetVitals(int head, out HeadVitals vitals);
        internal abstract string Figures(int head);
        /// <summary>Into `text`, zero-terminated.  Allocates nothing.</summary>
        internal abstract void ReadStatus(int head, byte[] text);
        protected abstract bool NextLog(int* level, byte* text, UIntPtr capacity);

        /// <summary>The library's log into Unity's, once a frame whoever asks first.</summary>
        internal void Pump(int frame)
        {
            if (_pumpedFrame == frame || Native == IntPtr.Zero) return;
            _pumpedFrame = frame;
            int level;
            fixed (byte* text = _line)
            {
                while (NextLog(&level, text, (UIntPtr)LineBytes)) Report.Line(level, Utf8.Decode(text));
            }
        }
    }
}
