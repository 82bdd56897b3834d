// client.h, declared anew: blittable structs and imports, nothing else.  A test holds them against the header.
using System;
using System.Runtime.InteropServices;

namespace Visavis
{
    /// <summary>vvc_options.  The function pointers stay null: IL2CPP and domain reloads want no callbacks.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct ClientOptions
    {
        public uint struct_size;
        public uint flags;
        public long min_delay_ns;
        public long max_delay_ns;
        public long hold_ns;
        public long ease_ns;
        public long output_ns;
        public uint max_heads;
        public uint outgoing_bytes;
        public fixed byte server_key[ClientApi.KeyBytes];
        public fixed byte public_key[ClientApi.KeyBytes];
        public fixed byte secret_key[ClientApi.KeyBytes];
        public IntPtr log;
        public IntPtr log_user;
        public IntPtr allocate;
        public IntPtr release;
        public IntPtr allocator_user;
    }

    /// <summary>vvc_head_options.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct ClientHeadOptions
    {
        public uint struct_size;
        public uint live;
        public ulong seed;
        public uint norm16;
        public uint reserved;
    }

    /// <summary>vvc_stats.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct ClientStats
    {
        public uint struct_size;
        public uint connection;
        public uint control;
        public uint n_connects;
        public long round_trip_ns;
        public ulong bytes;
        public ulong malformed;
        public ulong unsent;
        public ulong frames;
        public ulong lost;
        public ulong late;
        public ulong dropped;
        public ulong cuts;
        public ulong restarts;
        public ulong starved;
        public long delay_ns;
        public long target_delay_ns;
        public long silence_ns;
        public uint epoch;
        public uint followed;
        public ulong schema_hash;
        public ulong audio_packets;
        public ulong audio_jumps;
    }

    internal static unsafe class ClientApi
    {
        internal const uint AbiVersion = (1u << 16) | 0u; // VVC_ABI_VERSION
        internal const int KeyBytes = 48;                 // VVC_KEY_BYTES
        internal const long TimeNext = long.MinValue;     // VVC_TIME_NEXT
        internal const int Ok = 0;
        internal const int Full = 4;
        internal const int Refused = 6;
        internal const int Connected = 3;

        const string Library = Libraries.Client;
        const CallingConvention C = CallingConvention.Cdecl;

        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_abi_matches(uint header_version);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern byte* vvc_version();
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern uint vvc_struct_size(uint which);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern byte* vvc_last_error();
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern void vvc_default_options(ClientOptions* options, uint struct_size);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_open(byte* endpoint, ClientOptions* options, IntPtr* client);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern void vvc_close(IntPtr client);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern long vvc_now();
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern byte* vvc_shape_name(uint shape);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_follow(IntPtr client, byte* head);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_unfollow(IntPtr client, int head);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_sample(IntPtr client, int head, long t_ns, NativeFrame* frame);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_read_audio(IntPtr client, int head, long t_ns, float* samples, uint n_samples, uint rate, NativeAudio* audio);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_send_user_audio(IntPtr client, int head, float* samples, uint n_samples, uint rate, long session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_send_agent_audio(IntPtr client, int head, float* samples, uint n_samples, uint rate, long session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_send_user_face(IntPtr client, int head, float* values, long session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern long vvc_session_time(IntPtr client, int head, long t_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern long vvc_open_head(IntPtr client, byte* head, ClientHeadOptions* options);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern long vvc_set_dial(IntPtr client, int head, byte* dial, double value);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern long vvc_cancel(IntPtr client, int head, long from_session_ns);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_get_stats(IntPtr client, int head, ClientStats* stats);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_status_text(IntPtr client, int head, byte* text, UIntPtr capacity);
        [DllImport(Library, CallingConvention = C, ExactSpelling = true)] internal static extern int vvc_next_log(IntPtr client, int* level, byte* text, UIntPtr capacity);
    }
}
