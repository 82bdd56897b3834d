// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"

class AActor;
class UAnimInstance : public UObject {
  public:
    virtual void NativeInitializeAnimation() {}
    virtual void NativeUpdateAnimation(float) {}
    AActor* GetOwningActor() const { return StubOwner; }
    AActor* StubOwner = nullptr;
};
