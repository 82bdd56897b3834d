// The runtime module: the stream client compiles inside it, the in-process runtime is a library that is loaded when a
// character needs it.
using System.IO;
using UnrealBuildTool;

public class Visavis : ModuleRules
{
	public Visavis(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
		PublicDependencyModuleNames.AddRange(new string[] {
			"Core", "CoreUObject", "DeveloperSettings", "Engine", "LiveLinkInterface" });
		PrivateDependencyModuleNames.AddRange(new string[] { "Projects" });
		AddClient();
		AddRuntime();
	}

	// csrc/: the client's C files, its header and visavis.h.  `visavis plugins package` puts them here; in a checkout of
	// the repository they stand in the repository's own csrc/, which UnrealBuildTool does not compile.
	private void AddClient()
	{
		string Sources = Path.Combine(ModuleDirectory, "csrc");
		if (!File.Exists(Path.Combine(Sources, "client", "client.c")))
		{
			throw new BuildException("Visavis: " + Sources + " holds no client sources. Run `visavis plugins package " +
				"--out DIR` and install the zip that it makes for Unreal instead of this folder.");
		}
		PrivateIncludePaths.Add(Sources);
		PrivateIncludePaths.Add(Path.Combine(Sources, "include"));
		PrivateDefinitions.Add("VVC_STATIC=1");
		PrivateDefinitions.Add("VV_STATIC=1");
		if (Target.Platform == UnrealTargetPlatform.Win64)
		{
			PublicSystemLibraries.Add("ws2_32.lib");
		}
		AddSodium();
	}

	// Encrypted servers (CURVE) need libsodium, static: put its include/ folder and libsodium.lib or libsodium.a here.
	private void AddSodium()
	{
		string Sodium = Path.Combine(PluginDirectory, "ThirdParty", "Sodium");
		string Library = Path.Combine(Sodium, Target.Platform.ToString(),
			Target.Platform == UnrealTargetPlatform.Win64 ? "libsodium.lib" : "libsodium.a");
		if (File.Exists(Library))
		{
			PrivateIncludePaths.Add(Path.Combine(Sodium, "include"));
			PublicAdditionalLibraries.Add(Library);
			PrivateDefinitions.Add("VVC_WITH_SODIUM=1");
			PrivateDefinitions.Add("SODIUM_STATIC=1");
		}
	}

	// Staged as they are, beside the plugin's descriptor: VisavisRuntime.cpp looks for them there.
	private void AddRuntime()
	{
		string[] Files = {
			Path.Combine("ThirdParty", "Visavis", "Win64", "visavis.dll"),
			Path.Combine("ThirdParty", "Visavis", "Linux", "libvisavis.so"),
			Path.Combine("ThirdParty", "Visavis", "Mac", "libvisavis.dylib") };
		foreach (string File in Files)
		{
			if (File.Contains(Path.DirectorySeparatorChar + Target.Platform.ToString() + Path.DirectorySeparatorChar))
			{
				Stage(File);
			}
		}
		Stage(Path.Combine("Resources", "default.gguf"));
	}

	private void Stage(string Name)
	{
		string Full = Path.Combine(PluginDirectory, Name);
		if (System.IO.File.Exists(Full))
		{
			RuntimeDependencies.Add(Full, StagedFileType.NonUFS);
		}
	}
}
