// A callback from the client library's thread, with and without the attribute that ahead-of-time compilers need.
using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace AOT
{
    /// <summary>Ahead-of-time compilers know it by its name alone, in any assembly.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        public MonoPInvokeCallbackAttribute(Type type) { }
    }
}

internal static unsafe class Callbacks
{
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    delegate void Log(IntPtr user, int level, byte* text);

    const int OptionsBytes = 240, LogOffset = 200; // vvc_options, of 64-bit systems
    static readonly Log Kept = Marked, KeptUnmarked = Unmarked;
    static volatile bool _called;

    [DllImport("visavis_client")] static extern void vvc_default_options(byte* options, uint structSize);
    [DllImport("visavis_client")] static extern int vvc_open(byte* endpoint, byte* options, IntPtr* client);
    [DllImport("visavis_client")] static extern void vvc_close(IntPtr client);

    [AOT.MonoPInvokeCallback(typeof(Log))]
    static void Marked(IntPtr user, int level, byte* text) { Say(text); }

    static void Unmarked(IntPtr user, int level, byte* text) { Say(text); }

    static void Say(byte* text)
    {
        if (_called) return;
        Console.WriteLine("called: " + new string((sbyte*)text));
        _called = true;
    }

    static int Main(string[] arguments)
    {
        byte* options = stackalloc byte[OptionsBytes];
        vvc_default_options(options, OptionsBytes);
        *(IntPtr*)(options + LogOffset) = Marshal.GetFunctionPointerForDelegate(arguments[0] == "marked" ? Kept : KeptUnmarked);
        byte* endpoint = stackalloc byte[32];
        const string where = "tcp://127.0.0.1:1";
        for (int i = 0; i <= where.Length; ++i) endpoint[i] = i < where.Length ? (byte)where[i] : (byte)0;
        IntPtr client;
        if (vvc_open(endpoint, options, &client) != 0) return 2;
        for (int i = 0; i < 500 && !_called; ++i) Thread.Sleep(10);
        vvc_close(client);
        return _called ? 0 : 3;
    }
}
