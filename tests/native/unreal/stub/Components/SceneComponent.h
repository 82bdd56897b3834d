// Stand-in for tests, see README.md.
#pragma once

#include "Components/ActorComponent.h"

class USceneComponent : public UActorComponent {
  public:
    FRotator GetRelativeRotation() const { return StubRotator; }
    void SetRelativeRotation(const FQuat& Rotation) { StubRotation = Rotation; }
    void SetupAttachment(USceneComponent* Parent) { StubParent = Parent; }
    FRotator StubRotator;
    FQuat StubRotation;
    USceneComponent* StubParent = nullptr;
};
