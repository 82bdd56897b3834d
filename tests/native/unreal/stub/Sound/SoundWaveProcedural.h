// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"

#define INDEFINITELY_LOOPING_DURATION 10000.0f
enum ESoundGroup { SOUNDGROUP_Default, SOUNDGROUP_Voice };
namespace Audio {
namespace EAudioMixerStreamDataFormat {
enum Type { Unknown, Float, Int16, Unsupported };
}
}  // namespace Audio

class USoundBase : public UObject {
  public:
    float Duration = 0;
};
class USoundWave : public USoundBase {
  public:
    uint8 bLooping : 1;
    ESoundGroup SoundGroup = SOUNDGROUP_Default;
    int32 NumChannels = 0;
    void SetSampleRate(uint32 Rate) { StubRate = Rate; }
    virtual Audio::EAudioMixerStreamDataFormat::Type GetGeneratedPCMDataFormat() const {
        return Audio::EAudioMixerStreamDataFormat::Int16;
    }
    uint32 StubRate = 0;
};
class USoundWaveProcedural : public USoundWave {
  public:
    USoundWaveProcedural(const FObjectInitializer& = FObjectInitializer::Get()) { bLooping = false; }
    virtual int32 OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples) = 0;
};
