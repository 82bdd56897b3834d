// Stand-in for tests, see README.md: what plays is heard by the test's audio thread.
#pragma once

#include <atomic>

#include "Components/SceneComponent.h"

class USoundAttenuation : public UObject {};
class USoundBase;
class UAudioComponent : public USceneComponent {
  public:
    TObjectPtr<USoundAttenuation> AttenuationSettings;
    uint8 bAutoDestroy : 1;
    uint8 bAllowSpatialization : 1;
    void SetSound(USoundBase* InSound) { Sound = InSound; }
    void Play(float = 0.0f);
    void Stop();
    virtual void DestroyComponent(bool = false) override;
    USoundBase* Sound = nullptr;
};
