// The structs that the stream client and the runtime share.
using System.Runtime.InteropServices;

namespace Visavis
{
    /// <summary>vvc_frame of client.h, vv_face of stage.h: the same bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeFrame
    {
        public uint struct_size;
        public uint state;
        public long session_ns;
        public long frame;
        public long delay_ns;
        public uint epoch;
        public float phase;
        public fixed float shapes[VisavisShapes.Count];
        public float yaw;
        public float pitch;
        public float roll;
        public uint reserved;
    }

    /// <summary>vvc_audio of client.h, vv_heard of stage.h: the same bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeAudio
    {
        public uint struct_size;
        public uint source_rate;
        public long session_ns;
        public uint n_voiced;
        public uint reserved;
    }
}
