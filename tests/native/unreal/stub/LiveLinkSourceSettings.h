// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"

class ULiveLinkSourceSettings : public UObject {
  public:
    static UClass* StaticClass() {
        static UClass Class{"LiveLinkSourceSettings",
                            []() -> UObject* { return NewObject<ULiveLinkSourceSettings>(nullptr); }};
        return &Class;
    }
    FString ConnectionString;
};
