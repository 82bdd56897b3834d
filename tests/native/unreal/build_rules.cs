// Stand-in for UnrealBuildTool, our own: what Visavis.Build.cs uses of it, and a program that asks the rules for each
// platform and prints what they say.  build_rules PLUGIN
using System;
using System.Collections.Generic;

namespace UnrealBuildTool
{
    public class BuildException : Exception
    {
        public BuildException(string message) : base(message) { }
    }

    public struct UnrealTargetPlatform
    {
        private readonly string name;
        public UnrealTargetPlatform(string name) { this.name = name; }
        public static readonly UnrealTargetPlatform Win64 = new UnrealTargetPlatform("Win64");
        public static bool operator ==(UnrealTargetPlatform a, UnrealTargetPlatform b) { return a.name == b.name; }
        public static bool operator !=(UnrealTargetPlatform a, UnrealTargetPlatform b) { return a.name != b.name; }
        public override bool Equals(object other) { return other is UnrealTargetPlatform && this == (UnrealTargetPlatform)other; }
        public override int GetHashCode() { return name.GetHashCode(); }
        public override string ToString() { return name; }
    }

    public class ReadOnlyTargetRules
    {
        public UnrealTargetPlatform Platform;
        public string Plugin;
    }

    public enum StagedFileType { UFS, NonUFS }
    public class RuntimeDependencyList
    {
        public readonly List<string> Inner = new List<string>();
        public void Add(string path, StagedFileType type) { Inner.Add(type + " " + path); }
    }

    public class ModuleRules
    {
        public enum PCHUsageMode { Default, UseExplicitOrSharedPCHs }
        public PCHUsageMode PCHUsage;
        public readonly ReadOnlyTargetRules Target;
        public readonly List<string> PublicDependencyModuleNames = new List<string>();
        public readonly List<string> PrivateDependencyModuleNames = new List<string>();
        public readonly List<string> PrivateIncludePaths = new List<string>();
        public readonly List<string> PrivateDefinitions = new List<string>();
        public readonly List<string> PublicSystemLibraries = new List<string>();
        public readonly List<string> PublicAdditionalLibraries = new List<string>();
        public readonly RuntimeDependencyList RuntimeDependencies = new RuntimeDependencyList();
        public string PluginDirectory { get { return Target.Plugin; } }
        public string ModuleDirectory { get { return Target.Plugin + "/Source/Visavis"; } }
        public ModuleRules(ReadOnlyTargetRules target) { Target = target; }
    }
}

public static class Program
{
    public static int Main(string[] words)
    {
        foreach (string platform in new[] { "Win64", "Linux", "Mac" })
        {
            var target = new UnrealBuildTool.ReadOnlyTargetRules();
            target.Platform = new UnrealBuildTool.UnrealTargetPlatform(platform);
            target.Plugin = words[0];
            try
            {
                Print(platform, new Visavis(target));
            }
            catch (UnrealBuildTool.BuildException error)
            {
                Console.WriteLine(platform + " refused " + error.Message);
            }
        }
        return 0;
    }

    private static void Print(string platform, UnrealBuildTool.ModuleRules rules)
    {
        foreach (string one in rules.PrivateDefinitions) Console.WriteLine(platform + " define " + one);
        foreach (string one in rules.PrivateIncludePaths) Console.WriteLine(platform + " include " + one);
        foreach (string one in rules.PublicSystemLibraries) Console.WriteLine(platform + " link " + one);
        foreach (string one in rules.PublicAdditionalLibraries) Console.WriteLine(platform + " link " + one);
        foreach (string one in rules.RuntimeDependencies.Inner) Console.WriteLine(platform + " stage " + one);
    }
}
