// Names of the native libraries, and why one cannot be used: asked once, said in words with the remedy.
using System;

namespace Visavis
{
    internal static unsafe class Libraries
    {
#if VISAVIS_STATIC && !UNITY_EDITOR // linked into the player: iOS
        internal const string Client = "__Internal";
        internal const string Runtime = "__Internal";
#else
        internal const string Client = "visavis_client"; // libvisavis_client.so, visavis_client.dll
        internal const string Runtime = "visavis";
#endif
        static bool _clientAsked, _runtimeAsked;
        static string _clientProblem, _runtimeProblem;

        /// <summary>Why the stream client cannot be used; null: it can.</summary>
        internal static string ClientProblem
        {
            get
            {
                if (!_clientAsked) _clientProblem = Ask(Client, CheckClient);
                _clientAsked = true;
                return _clientProblem;
            }
        }

        /// <summary>Why the runtime inside the game cannot be used; null: it can.</summary>
        internal static string RuntimeProblem
        {
            get
            {
                if (!_runtimeAsked) _runtimeProblem = Ask(Runtime, CheckRuntime);
                _runtimeAsked = true;
                return _runtimeProblem;
            }
        }

        /// <summary>Libraries may have come since.</summary>
        internal static void AskAgain() { _clientAsked = _runtimeAsked = false; }

        /// <summary>What `check` finds, or what kept the library from being loaded.</summary>
        static string Ask(string name, Func<string> check)
        {
            const string remedy = "Install the package that `visavis plugins package` makes, which holds them, or copy the " +
                                  "library into Plugins of dev.visavis.heads (README, \"Natives\")";
            try
            {
                return check();
            }
            catch (DllNotFoundException)
            {
                return "The native library \"" + name + "\" was not found for this platform, the face stays neutral. " +
                       remedy + ".";
            }
            catch (EntryPointNotFoundException error)
            {
                return "The native library \"" + name + "\" is older than this package: it lacks " + error.Message +
                       ". The face stays neutral. Use library and package of one release.";
            }
            catch (BadImageFormatException)
            {
                return "The native library \"" + name + "\" is made for another processor or system, the face stays " +
                       "neutral. " + remedy + ".";
            }
        }

        static string CheckClient()
        {
            if (ClientApi.vvc_abi_matches(ClientApi.AbiVersion) == 0)
            {
                return OtherAbi(Client, Utf8.Decode(ClientApi.vvc_version()), ClientApi.AbiVersion);
            }
            return Sizes(Client, 0, ClientApi.vvc_struct_size(0), sizeof(ClientOptions)) ??
                   Sizes(Client, 1, ClientApi.vvc_struct_size(1), sizeof(NativeFrame)) ??
                   Sizes(Client, 2, ClientApi.vvc_struct_size(2), sizeof(NativeAudio)) ??
                   Sizes(Client, 3, ClientApi.vvc_struct_size(3), sizeof(ClientStats)) ??
                   Sizes(Client, 4, ClientApi.vvc_struct_size(4), sizeof(ClientHeadOptions));
        }

        static string CheckRuntime()
        {
            if (RuntimeApi.vv_abi_matches(RuntimeApi.AbiVersion) == 0)
            {
                return OtherAbi(Runtime, Utf8.Decode(RuntimeApi.vv_version()), RuntimeApi.AbiVersion);
            }
            return Sizes(Runtime, 0, RuntimeApi.vv_struct_size(0), sizeof(StageConfig)) ??
                   Sizes(Runtime, 1, RuntimeApi.vv_struct_size(1), sizeof(NativeFrame)) ??
                   Sizes(Runtime, 2, RuntimeApi.vv_struct_size(2), sizeof(NativeAudio)) ??
                   Sizes(Runtime, 3, RuntimeApi.vv_struct_size(3), sizeof(StageStats)) ??
                   Sizes(Runtime, 4, RuntimeApi.vv_struct_size(4), sizeof(SessionConfig));
        }

        static string OtherAbi(string name, string version, uint expected)
        {
            return "The native library \"" + name + "\" is release " + version + " and does not serve ABI " +
                   (expected >> 16) + "." + (expected & 0xFFFF) + ", which this package expects. The face stays neutral. " +
                   "Use library and package of one release.";
        }

        // Structs only grow at the end, so a newer library's may be larger.
        static string Sizes(string name, int which, uint found, int expected)
        {
            if (found >= expected) return null;
            return "The native library \"" + name + "\" counts " + found + " bytes in struct " + which + ", this package " +
                   expected + ". The face stays neutral. Use library and package of one release.";
        }
    }
}
