#include "VisavisRuntime.h"

#include "HAL/PlatformProcess.h"
#include "Interfaces/IPluginManager.h"
#include "Misc/Paths.h"
#include "Misc/ScopeLock.h"

namespace
{
	FCriticalSection LoadLock;
	TMap<FString, TSharedPtr<FVisavisRuntime>> Loaded;

	FString PluginFile(const TCHAR* Name)
	{
		const TSharedPtr<IPlugin> Plugin = IPluginManager::Get().FindPlugin(TEXT("Visavis"));
		return Plugin.IsValid() ? FPaths::ConvertRelativePathToFull(Plugin->GetBaseDir() / Name) : FString(Name);
	}
}  // namespace

FString FVisavisRuntime::LibraryPath()
{
#if PLATFORM_WINDOWS
	return PluginFile(TEXT("ThirdParty/Visavis/Win64/visavis.dll"));
#elif PLATFORM_MAC
	return PluginFile(TEXT("ThirdParty/Visavis/Mac/libvisavis.dylib"));
#else
	return PluginFile(TEXT("ThirdParty/Visavis/Linux/libvisavis.so"));
#endif
}

FString FVisavisRuntime::ModelPath()
{
	return PluginFile(TEXT("Resources/default.gguf"));
}

bool FVisavisRuntime::Find(void* Library, const FString& Path, FString& Problem)
{
	// The version first: a library of another one may lack calls.
	abi_matches =
		reinterpret_cast<decltype(abi_matches)>(FPlatformProcess::GetDllExport(Library, TEXT("vv_abi_matches")));
	if (abi_matches == nullptr || abi_matches(VV_ABI_VERSION) == 0)
	{
		Problem = FString::Printf(
			TEXT("runtime library %s: it does not serve version %u.%u of visavis.h; put the one of this ")
				TEXT("plugin's package there (visavis plugins package)"),
			*Path, static_cast<uint32>(VV_ABI_VERSION) >> 16, static_cast<uint32>(VV_ABI_VERSION) & 0xFFFF);
		return false;
	}
	const TCHAR* Missing = nullptr;
#define VISAVIS_FIND(Name)                                                                               \
	Name = reinterpret_cast<decltype(Name)>(FPlatformProcess::GetDllExport(Library, TEXT("vv_" #Name))); \
	Missing = Name == nullptr ? TEXT("vv_" #Name) : Missing;
	VISAVIS_RUNTIME_CALLS(VISAVIS_FIND)
#undef VISAVIS_FIND
	if (Missing != nullptr)
	{
		Problem = FString::Printf(TEXT("runtime library %s: it has no %s; put the one of this plugin's package there"),
								  *Path, Missing);
	}
	return Missing == nullptr;
}

const FVisavisRuntime* FVisavisRuntime::Load(const FString& Path, FString& Problem)
{
	FScopeLock Lock(&LoadLock);
	if (const TSharedPtr<FVisavisRuntime>* Found = Loaded.Find(Path))
	{
		return Found->Get();
	}
	void* const Library = FPlatformProcess::GetDllHandle(*Path);
	if (Library == nullptr)
	{
		Problem = FString::Printf(
			TEXT("runtime library %s: it is missing or cannot be loaded; install the plugin from a ")
				TEXT("package made for this platform (visavis plugins package), or use a Visavis Stream ")
					TEXT("component with a server"),
			*Path);
		return nullptr;
	}
	TSharedPtr<FVisavisRuntime> Runtime = MakeShared<FVisavisRuntime>();
	if (!Runtime->Find(Library, Path, Problem))
	{
		return nullptr;
	}
	Loaded.Add(Path, Runtime);
	return Runtime.Get();
}
