// Stand-in for tests, see README.md: the Live Link client is the only feature.
#pragma once

#include "Stub/Names.h"

class IModularFeature {};
class IModularFeatures {
  public:
    static IModularFeatures& Get();
    bool IsModularFeatureAvailable(const FName& Name) const;
    template <typename T>
    T& GetModularFeature(const FName&) {
        return static_cast<T&>(*Feature);
    }
    IModularFeature* Feature = nullptr;
};
