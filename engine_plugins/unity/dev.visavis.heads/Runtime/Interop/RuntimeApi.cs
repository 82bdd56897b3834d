// visavis.h and stage.h, declared anew: blittable structs and imports, nothing else.  A test holds them against the headers.
using System;
using System.Runtime.InteropServices;

namespace Visavis
{
    /// <summary>vv_stage_config.  The clock stays null: the library's own.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct StageConfig
    {
        public uint struct_size;
        public uint flags;
        public long min_delay_ns;
        public long max_delay_ns;
        public long hold_ns;
        public long ease_ns;
        public long output_ns;
        public uint max_heads;
        public uint input_bytes;
        public float max_load;
        public uint reserved;
        public IntPtr clock;
        public IntPtr clock_user;
    }

    /// <summary>vv_session_config.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct SessionConfig
    {
        public uint struct_size;
        public uint agent_audio;
        public uint voices;
        public int steps;
        public ulong seed;
        public float temperature;
        public float guidance;
        public long lead_ns;
        public uint late;
        public uint reserved;
        public IntPtr clock;
        public IntPtr clock_user;
    }

    /// <summary>vv_stage_stats.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct StageStats
    {
        public uint struct_size;
        public uint n_heads;
        public float load;
        public uint ticked;
        public long turn_ns;
        public long work_ns;
        public ulong unsent;
        public ulong refused;
        public ulong turns;
        public ulong frames;
        public ulong late_turns;
        public ulong skipped_turns;
        public ulong dropped_frames;
        public ulong cuts;
        public ulong starved;
        public ulong audio_jumps;
        public ulong user_missing;
        public ulong agent_missing;
        public ulong user_pushed;
        public ulong agent_pushed;
        public long delay_ns;
        public long silence_ns;
        public uint epoch;
        public uint open;
    }

    internal static unsafe class RuntimeApi
    {
        internal const uint AbiVersion = (1u << 16) | 2u; // VV_ABI_VERSION
        internal const long TimeNext = long.MinValue;     // VV_TIME_NEXT
        internal const int Ok = 0;
        internal const uint AgentAudioLive = 1;           // VV_AGENT_AUDIO_LIVE

        const string Library = Libraries.Runtime;
        const CallingConvention C = CallingConvention.Cdecl;

        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_abi_matches(uint header_version);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern byte* vv_version();
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern uint vv_struct_size(uint which);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern byte* vv_last_error();
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_model_load(byte* path, IntPtr* model);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_model_load_memory(void* bytes, UIntPtr n_bytes, IntPtr* model);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern void vv_model_destroy(IntPtr model);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_engine_create(IntPtr model, void* config, IntPtr* engine);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern void vv_engine_destroy(IntPtr engine);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern void vv_default_stage_config(StageConfig* config, uint struct_size);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern void vv_default_session_config(SessionConfig* config, uint struct_size);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_create(IntPtr engine, StageConfig* config, IntPtr* stage);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern void vv_stage_destroy(IntPtr stage);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern long vv_now();
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_open_head(IntPtr stage, byte* head, SessionConfig* config);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_close_head(IntPtr stage, byte* head);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_sample(IntPtr stage, int head, long t_ns, NativeFrame* face);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_read_audio(IntPtr stage, int head, long t_ns, float* samples, uint n_samples, uint rate, NativeAudio* heard);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_send_user_audio(IntPtr stage, int head, float* samples, uint n_samples, uint rate, long session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_send_agent_audio(IntPtr stage, int head, float* samples, uint n_samples, uint rate, long session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_send_user_face(IntPtr stage, int head, float* values, long session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern long vv_stage_session_time(IntPtr stage, int head, long t_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_set_dial(IntPtr stage, int head, byte* dial, double value);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_cancel(IntPtr stage, int head, long from_session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_get_stats(IntPtr stage, int head, StageStats* stats);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_status_text(IntPtr stage, int head, byte* text, UIntPtr capacity);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vv_stage_next_log(IntPtr stage, int* level, byte* text, UIntPtr capacity);
    }
}
