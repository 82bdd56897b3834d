// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"

class UMorphTarget;
class USkeletalMesh : public UObject {
  public:
    const TArray<TObjectPtr<UMorphTarget>>& GetMorphTargets() const { return StubTargets; }
    TArray<TObjectPtr<UMorphTarget>> StubTargets;
};
