// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"

class AActor;
enum ELevelTick { LEVELTICK_All };
namespace EEndPlayReason {
enum Type { Destroyed, EndPlayInEditor, Quit };
}
struct FActorComponentTickFunction {
    bool bCanEverTick = false;
};

class UActorComponent : public UObject {
  public:
    virtual void BeginPlay() { StubHasBegun = true; }
    virtual void EndPlay(const EEndPlayReason::Type) { StubHasBegun = false; }
    virtual void TickComponent(float, ELevelTick, FActorComponentTickFunction*) {}
    AActor* GetOwner() const;
    bool ComponentHasTag(FName Tag) const { return ComponentTags.Contains(Tag); }
    void RegisterComponent();
    virtual void DestroyComponent(bool = false);
    FActorComponentTickFunction PrimaryComponentTick;
    TArray<FName> ComponentTags;
    bool StubHasBegun = false;
};
