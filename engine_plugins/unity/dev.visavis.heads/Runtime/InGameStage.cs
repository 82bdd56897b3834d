// The runtime inside the game: one model, one thread of low priority, all characters that share them.
using System;
using System.Collections.Generic;
using System.Threading;
using UnityEngine;

namespace Visavis
{
    /// <summary>What a stage is made with.  Equal settings share one.</summary>
    internal struct StageSettings
    {
        public TextAsset Model;  // the model's bytes, or none:
        public string ModelFile; // its path
        public float MaxLoad, OutputSeconds;

        public bool Same(ref StageSettings other)
        {
            return Model == other.Model && ModelFile == other.ModelFile && MaxLoad == other.MaxLoad &&
                   OutputSeconds == other.OutputSeconds;
        }
    }

    internal sealed unsafe class InGameStage : HeadHost
    {
        static readonly List<InGameStage> Shared = new List<InGameStage>();
        // Names are reused: the library keeps as many as there were heads at a time.  Handle -> name; null: free.
        readonly List<byte[]> _names = new List<byte[]>();
        readonly List<int> _handles = new List<int>();
        readonly StageSettings _settings;
        volatile string _failure;
        ulong _opened;

        InGameStage(StageSettings settings) { _settings = settings; }

        /// <summary>The stage with those settings, held; it may still be loading.</summary>
        internal static InGameStage Acquire(StageSettings settings, out string problem)
        {
            InGameStage found = null;
            problem = Libraries.RuntimeProblem;
            if (problem != null) return null;
            foreach (InGameStage shared in Shared)
            {
                if (shared._settings.Same(ref settings)) found = shared;
            }
            if (found == null)
            {
                found = new InGameStage(settings);
                // Reading and preparing a model takes a while: beside the game.
                byte[] bytes = settings.Model == null ? null : settings.Model.bytes;
                new Thread(found.Load) { IsBackground = true, Name = "Visavis load" }.Start(bytes);
                Shared.Add(found);
            }
            found.Hold();
            return found;
        }

        protected override void Forget() { Shared.Remove(this); }
        protected override void CloseNative(object stage) { RuntimeApi.vv_stage_destroy((IntPtr)stage); }

        internal override bool IsReady(out string problem)
        {
            problem = _failure;
            return problem == null && IsOpen;
        }

        internal override bool MayHaveRoom { get { return IsOpen; } }

        // ---- Loading, on a thread of its own ----

        void Load(object bytes)
        {
            IntPtr model = IntPtr.Zero, engine = IntPtr.Zero, stage = IntPtr.Zero;
            fixed (byte* first = (byte[])bytes) // the model's until it is destroyed
            {
                bool made = LoadModel(first, (byte[])bytes, &model) &&
                            RuntimeApi.vv_engine_create(model, null, &engine) == RuntimeApi.Ok && Create(engine, &stage);
                string error = made ? null : Utf8.Decode(RuntimeApi.vv_last_error());
                RuntimeApi.vv_engine_destroy(engine); // the stage keeps what it needs
                RuntimeApi.vv_model_destroy(model);
                if (made) Publish(stage);
                else _failure = "The model cannot be used: " + error + ". Set Model to Packages/dev.visavis.heads/Model/default; " +
                                "the face stays neutral.";
            }
        }

        bool LoadModel(byte* first, byte[] bytes, IntPtr* model)
        {
            if (bytes != null) return RuntimeApi.vv_model_load_memory(first, (UIntPtr)(uint)bytes.Length, model) == RuntimeApi.Ok;
            fixed (byte* path = Utf8.Encode(_settings.ModelFile)) return RuntimeApi.vv_model_load(path, model) == RuntimeApi.Ok;
        }

        bool Create(IntPtr engine, IntPtr* stage)
        {
            StageConfig config;
            RuntimeApi.vv_default_stage_config(&config, (uint)sizeof(StageConfig));
            config.output_ns = Nanoseconds(_settings.OutputSeconds);
            config.max_load = _settings.MaxLoad;
            return RuntimeApi.vv_stage_create(engine, &config, stage) == RuntimeApi.Ok;
        }

        // ---- Heads ----

        /// <summary>A new head.  Seed 0: the next one.</summary>
        internal int Open(uint seed, bool live, out string problem)
        {
            SessionConfig config;
            RuntimeApi.vv_default_session_config(&config, (uint)sizeof(SessionConfig));
            config.seed = seed != 0 ? seed : ++_opened;
            config.agent_audio = live ? RuntimeApi.AgentAudioLive : 0;
            int place = _handles.IndexOf(-1);
            if (place < 0)
            {
                place = _handles.Count;
                _handles.Add(-1);
                _names.Add(Utf8.Encode("unity" + place));
            }
            fixed (byte* name = _names[place]) _handles[place] = Math.Max(-1, RuntimeApi.vv_stage_open_head(Native, name, &config));
            problem = _handles[place] < 0 ? Utf8.Decode(RuntimeApi.vv_last_error()) : null;
            return _handles[place];
        }

        internal override void Close(int head)
        {
            int place = _handles.IndexOf(head);
            _handles[place] = -1;
            fixed (byte* name = _names[place]) RuntimeApi.vv_stage_close_head(Native, name);
        }

        internal override bool Sample(int head, VisavisPose pose)
        {
            NativeFrame frame;
            frame.struct_size = (uint)sizeof(NativeFrame);
            if (RuntimeApi.vv_stage_sample(Native, head, RuntimeApi.vv_now(), &frame) != RuntimeApi.Ok) return false;
            Copy(&frame, pose);
            return true;
        }

        protected override bool ReadNativeVoice(int head, float* samples, uint count, uint rate)
        {
            return RuntimeApi.vv_stage_read_audio(Native, head, RuntimeApi.vv_now(), samples, count, rate, null) == RuntimeApi.Ok;
        }

        internal override bool SendUserAudio(int head, float[] samples, int count, int rate, double ageSeconds)
        {
            // Not open yet: TIME_NEXT, by value the same.
            long start = RuntimeApi.vv_stage_session_time(Native, head, RuntimeApi.vv_now() - Nanoseconds(ageSeconds));
            fixed (float* first = samples)
            {
                return RuntimeApi.vv_stage_send_user_audio(Native, head, first, (uint)count, (uint)rate, start) == RuntimeApi.Ok;
            }
        }

        internal override bool SendAgentAudio(int head, float[] samples, int offset, int count, int rate)
        {
            fixed (float* first = samples)
            {
                return RuntimeApi.vv_stage_send_agent_audio(Native, head, first + offset, (uint)count, (uint)rate,
                                                            RuntimeApi.TimeNext) == RuntimeApi.Ok;
            }
        }

        internal override bool SendUserFace(int head, float[] values)
        {
            fixed (float* first = values)
            {
                return RuntimeApi.vv_stage_send_user_face(Native, head, first, RuntimeApi.TimeNext) == RuntimeApi.Ok;
            }
        }

        internal override void Cancel(int head) { RuntimeApi.vv_stage_cancel(Native, head, RuntimeApi.TimeNext); }

        internal override void SetDial(int head, byte[] dial, double value)
        {
            fixed (byte* name = dial)
            {
                if (RuntimeApi.vv_stage_set_dial(Native, head, name, value) == RuntimeApi.Ok) return;
            }
            Report.Line(0, Utf8.Decode(RuntimeApi.vv_last_error()));
        }

        // ---- What is going on ----

        bool GetStats(int head, StageStats* stats)
        {
            stats->struct_size = (uint)sizeof(StageStats);
            return RuntimeApi.vv_stage_get_stats(Native, head, stats) == RuntimeApi.Ok;
        }

        internal override bool GetVitals(int head, out HeadVitals vitals)
        {
            StageStats stats;
            vitals = new HeadVitals();
            if (!GetStats(head, &stats)) return false;
            vitals.Reachable = vitals.CanAsk = true;
            vitals.Moves = IsFresh(stats.silence_ns);
            vitals.Epoch = stats.epoch;
            return true;
        }

        internal override string Figures(int head)
        {
            StageStats stats;
            if (!GetStats(head, &stats)) return "";
            return string.Format(
                "delay {0:0} ms; a turn takes {1:0.0} ms; {2} heads need {3:0} % of a core\n" +
                "{4} frames, {5} turns late, {6} skipped, {7} starved; {8} voice jumps",
                stats.delay_ns * 1e-6, stats.turn_ns * 1e-6, stats.n_heads, stats.load * 100f, stats.frames, stats.late_turns,
                stats.skipped_turns, stats.starved, stats.audio_jumps);
        }

        internal override void ReadStatus(int head, byte[] text)
        {
            fixed (byte* first = text) RuntimeApi.vv_stage_status_text(Native, head, first, (UIntPtr)(uint)text.Length);
        }

        protected override bool NextLog(int* level, byte* text, UIntPtr capacity)
        {
            return RuntimeApi.vv_stage_next_log(Native, level, text, capacity) != 0;
        }
    }
}
