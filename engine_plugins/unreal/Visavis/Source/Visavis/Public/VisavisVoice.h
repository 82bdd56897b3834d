// The head's voice as a sound: the audio thread asks, the head's reader answers in time with the face.
#pragma once

#include "CoreMinimal.h"
#include "Sound/SoundWaveProcedural.h"

#include "VisavisVoice.generated.h"

class IVisavisHead;

UCLASS()
class VISAVIS_API UVisavisVoice : public USoundWaveProcedural
{
	GENERATED_BODY()

public:
	static constexpr int32 VoiceRate = 48000;

	UVisavisVoice(const FObjectInitializer& ObjectInitializer);

	/** Before the sound is played, and only then: the audio thread reads it without a lock. */
	void SetHead(const TSharedPtr<IVisavisHead>& InHead) { Head = InHead; }

	virtual int32 OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples) override;
	virtual Audio::EAudioMixerStreamDataFormat::Type GetGeneratedPCMDataFormat() const override;

private:
	TSharedPtr<IVisavisHead> Head;
};
