// A head, wherever it runs: in this process (VisavisStage.h) or on a server (VisavisStreamHead.h).
#pragma once

#include "CoreMinimal.h"

#include "VisavisFace.h"

class IVisavisHead
{
public:
	virtual ~IVisavisHead() = default;

	// Game thread; nothing waits, nothing allocates but texts.
	/** False: the face stays as it is. */
	virtual bool Sample(FVisavisFace& Face) = 0;
	/** An empty answer is success; else the thing, the value found, the value expected. */
	virtual FString PushUserAudio(const float* Samples, int32 NumSamples, int32 SampleRate) = 0;
	virtual FString PushAgentAudio(const float* Samples, int32 NumSamples, int32 SampleRate) = 0;
	/** 52 weights, then yaw, pitch, roll. */
	virtual FString PushUserFace(const float* Values) = 0;
	virtual FString SetDial(const FString& Dial, double Value) = 0;
	virtual FString BargeIn() = 0;
	/** Refusals that came later, and lines for people, into Unreal's log. */
	virtual void WriteLog() = 0;
	/** Why nothing moves, or that all is well. */
	virtual FString Status() const = 0;
	/** The character goes; the voice is silent from now on. */
	virtual void Close() = 0;

	/** Audio thread: the voice, silence where there is none.  False: another thread reads it, the samples are as they were. */
	virtual bool ReadVoice(float* Samples, int32 NumSamples, int32 SampleRate) = 0;
};
