// Stand-in for tests, see README.md.
#pragma once

#include "Components/SceneComponent.h"

class USkeletalMesh;
class USkeletalMeshComponent : public USceneComponent {
  public:
    USkeletalMesh* GetSkeletalMeshAsset() const { return StubAsset; }
    void SetMorphTarget(FName Name, float Value, bool = true) { StubWeights.Add(Name, Value); }
    USkeletalMesh* StubAsset = nullptr;
    TMap<FName, float> StubWeights;
};
