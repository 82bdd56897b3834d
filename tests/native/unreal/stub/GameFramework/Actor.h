// Stand-in for tests, see README.md.
#pragma once

#include "Components/SceneComponent.h"

class AActor : public UObject {
  public:
    USceneComponent* GetRootComponent() const { return StubRoot; }
    template <typename T>
    void GetComponents(TArray<T*>& Found) const {
        Found.Reset();
        for (UActorComponent* const Component : StubComponents) {
            if (T* const Of = Cast<T>(Component)) Found.Add(Of);
        }
    }
    template <typename T>
    T* FindComponentByClass() const {
        TArray<T*> Found;
        GetComponents(Found);
        return Found.Num() > 0 ? Found[0] : nullptr;
    }
    USceneComponent* StubRoot = nullptr;
    TArray<UActorComponent*> StubComponents;
};
