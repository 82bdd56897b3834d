// Stand-in for tests, see README.md.
#pragma once

#include "Stub/Pointers.h"
#include "Stub/Text.h"

class IPlugin {
  public:
    const FString& GetBaseDir() const { return BaseDir; }
    FString BaseDir;
};
class IPluginManager {
  public:
    static IPluginManager& Get();
    TSharedPtr<IPlugin> FindPlugin(const FString& Name) const;
    FString StubBaseDir;
};
