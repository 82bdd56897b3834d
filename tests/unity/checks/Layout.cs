// Sizes and offsets as C# lays out the structs, for comparison with the C compiler's.
using System;
using System.Reflection;
using System.Runtime.InteropServices;
using Visavis;

internal static class Layout
{
    internal static void Print()
    {
        Struct(typeof(ClientOptions), "vvc_options");
        Struct(typeof(NativeFrame), "vvc_frame");
        Struct(typeof(NativeAudio), "vvc_audio");
        Struct(typeof(ClientStats), "vvc_stats");
        Struct(typeof(ClientHeadOptions), "vvc_head_options");
        Struct(typeof(NativeFrame), "vv_face");
        Struct(typeof(NativeAudio), "vv_heard");
        Struct(typeof(StageConfig), "vv_stage_config");
        Struct(typeof(SessionConfig), "vv_session_config");
        Struct(typeof(StageStats), "vv_stage_stats");
    }

    static void Struct(Type type, string name)
    {
        Console.WriteLine(name + " " + Marshal.SizeOf(type));
        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            Console.WriteLine(name + "." + field.Name + " " + Marshal.OffsetOf(type, field.Name));
        }
    }
}
