// One connection to a server, shared by all characters that are there: owns the native client and its one thread.
using System;
using System.Collections.Generic;

namespace Visavis
{
    /// <summary>What a connection is opened with.  Equal settings share one.</summary>
    internal struct StreamSettings
    {
        public string Endpoint, ServerKey, PublicKey, SecretKey;
        public float MaxDelaySeconds, OutputSeconds;

        public bool Same(ref StreamSettings other)
        {
            return Endpoint == other.Endpoint && ServerKey == other.ServerKey && PublicKey == other.PublicKey &&
                   SecretKey == other.SecretKey && MaxDelaySeconds == other.MaxDelaySeconds &&
                   OutputSeconds == other.OutputSeconds;
        }
    }

    internal sealed unsafe class StreamConnection : HeadHost
    {
        static readonly List<StreamConnection> Shared = new List<StreamConnection>();
        readonly List<int> _followed = new List<int>(); // a handle for each character, twice if two show one head
        StreamSettings _settings;

        StreamConnection(ref StreamSettings settings) { _settings = settings; }

        /// <summary>The connection with those settings, held; null and the reason where the settings are wrong.</summary>
        internal static StreamConnection Acquire(StreamSettings settings, out string problem)
        {
            StreamConnection found = null;
            problem = Libraries.ClientProblem;
            if (problem != null) return null;
            foreach (StreamConnection shared in Shared)
            {
                if (shared._settings.Same(ref settings)) found = shared;
            }
            if (found == null)
            {
                found = new StreamConnection(ref settings);
                problem = found.Open();
                if (problem != null) return null;
                Shared.Add(found);
            }
            found.Hold();
            return found;
        }

        protected override void Forget() { Shared.Remove(this); }
        protected override void CloseNative(object client) { ClientApi.vvc_close((IntPtr)client); }

        string Open()
        {
            ClientOptions options;
            ClientApi.vvc_default_options(&options, (uint)sizeof(ClientOptions));
            options.max_delay_ns = Nanoseconds(_settings.MaxDelaySeconds);
            options.output_ns = Nanoseconds(_settings.OutputSeconds);
            if (!Key(_settings.ServerKey, options.server_key) || !Key(_settings.PublicKey, options.public_key) ||
                !Key(_settings.SecretKey, options.secret_key))
            {
                return "A key is longer than " + (ClientApi.KeyBytes - 1) + " bytes; expected 40 characters of Z85, as " +
                       "`visavis keys new` writes them.";
            }
            IntPtr client;
            fixed (byte* endpoint = Utf8.Encode(_settings.Endpoint))
            {
                if (ClientApi.vvc_open(endpoint, &options, &client) != ClientApi.Ok) return LastError();
            }
            Publish(client);
            return null;
        }

        static bool Key(string text, byte* key)
        {
            byte[] bytes = Utf8.Encode(text == null ? "" : text.Trim());
            if (bytes.Length > ClientApi.KeyBytes) return false;
            for (int i = 0; i < bytes.Length; ++i) key[i] = bytes[i];
            return true;
        }

        static string LastError() { return Utf8.Decode(ClientApi.vvc_last_error()); }

        // ---- Heads ----

        internal int Follow(string head, out string problem)
        {
            int handle;
            fixed (byte* name = Utf8.Encode(head)) handle = ClientApi.vvc_follow(Native, name);
            problem = handle < 0 ? LastError() : null;
            if (handle >= 0) _followed.Add(handle);
            return handle;
        }

        internal override void Close(int head)
        {
            _followed.Remove(head);
            if (!_followed.Contains(head)) ClientApi.vvc_unfollow(Native, head);
        }

        internal void OpenHead(string head)
        {
            fixed (byte* name = Utf8.Encode(head)) ClientApi.vvc_open_head(Native, name, null);
        }

        internal override bool Sample(int head, VisavisPose pose)
        {
            NativeFrame frame;
            frame.struct_size = (uint)sizeof(NativeFrame);
            if (ClientApi.vvc_sample(Native, head, ClientApi.vvc_now(), &frame) != ClientApi.Ok) return false;
            Copy(&frame, pose);
            return true;
        }

        protected override bool ReadNativeVoice(int head, float* samples, uint count, uint rate)
        {
            return ClientApi.vvc_read_audio(Native, head, ClientApi.vvc_now(), samples, count, rate, null) == ClientApi.Ok;
        }

        internal override bool SendUserAudio(int head, float[] samples, int count, int rate, double ageSeconds)
        {
            // Not known yet: TIME_NEXT, by value the same.
            long start = ClientApi.vvc_session_time(Native, head, ClientApi.vvc_now() - Nanoseconds(ageSeconds));
            fixed (float* first = samples)
            {
                return ClientApi.vvc_send_user_audio(Native, head, first, (uint)count, (uint)rate, start) == ClientApi.Ok;
            }
        }

        internal override bool SendAgentAudio(int head, float[] samples, int offset, int count, int rate)
        {
            fixed (float* first = samples)
            {
                return ClientApi.vvc_send_agent_audio(Native, head, first + offset, (uint)count, (uint)rate,
                                                      ClientApi.TimeNext) == ClientApi.Ok;
            }
        }

        internal override bool SendUserFace(int head, float[] values)
        {
            fixed (float* first = values)
            {
                return ClientApi.vvc_send_user_face(Native, head, first, ClientApi.TimeNext) == ClientApi.Ok;
            }
        }

        internal override void Cancel(int head) { ClientApi.vvc_cancel(Native, head, ClientApi.TimeNext); }

        internal override void SetDial(int head, byte[] dial, double value)
        {
            fixed (byte* name = dial) ClientApi.vvc_set_dial(Native, head, name, value);
        }

        // ---- What is going on ----

        bool GetStats(int head, ClientStats* stats)
        {
            stats->struct_size = (uint)sizeof(ClientStats);
            return ClientApi.vvc_get_stats(Native, head, stats) == ClientApi.Ok;
        }

        internal override bool GetVitals(int head, out HeadVitals vitals)
        {
            ClientStats stats;
            vitals = new HeadVitals();
            if (!GetStats(head, &stats)) return false;
            vitals.Reachable = stats.connection == ClientApi.Connected;
            vitals.CanAsk = stats.control == ClientApi.Connected;
            vitals.Moves = IsFresh(stats.silence_ns);
            vitals.Epoch = stats.epoch;
            return true;
        }

        internal override string Figures(int head)
        {
            ClientStats stats;
            if (!GetStats(head, &stats)) return "";
            return string.Format(
                "delay {0:0} ms (round trip {1:0.0} ms)\n{2} frames, {3} lost, {4} late, {5} starved\n" +
                "{6} voice packets, {7} jumps; {8} not sent; {9} restarts",
                stats.delay_ns * 1e-6, Math.Max(0, stats.round_trip_ns) * 1e-6, stats.frames, stats.lost, stats.late,
                stats.starved, stats.audio_packets, stats.audio_jumps, stats.unsent, stats.restarts);
        }

        internal override void ReadStatus(int head, byte[] text)
        {
            fixed (byte* first = text) ClientApi.vvc_status_text(Native, head, first, (UIntPtr)(uint)text.Length);
        }

        protected override bool NextLog(int* level, byte* text, UIntPtr capacity)
        {
            return ClientApi.vvc_next_log(Native, level, text, capacity) != 0;
        }
    }
}
