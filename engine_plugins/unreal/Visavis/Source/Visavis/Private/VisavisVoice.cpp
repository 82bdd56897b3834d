#include "VisavisVoice.h"

#include "VisavisHead.h"

UVisavisVoice::UVisavisVoice(const FObjectInitializer& ObjectInitializer) : Super(ObjectInitializer)
{
	SetSampleRate(static_cast<uint32>(VoiceRate));
	NumChannels = 1;
	Duration = INDEFINITELY_LOOPING_DURATION;
	SoundGroup = SOUNDGROUP_Voice;
	bLooping = false;
}

int32 UVisavisVoice::OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples)
{
	OutAudio.SetNumZeroed(NumSamples * static_cast<int32>(sizeof(float)));
	if (Head.IsValid())
	{
		Head->ReadVoice(reinterpret_cast<float*>(OutAudio.GetData()), NumSamples, VoiceRate);
	}
	return NumSamples;
}

Audio::EAudioMixerStreamDataFormat::Type UVisavisVoice::GetGeneratedPCMDataFormat() const
{
	return Audio::EAudioMixerStreamDataFormat::Float;
}
