// A head of a server, through the stream client.
#pragma once

#include "CoreMinimal.h"

#include "VisavisClient.h"
#include "VisavisHead.h"

#include <atomic>

class FVisavisStreamHead : public IVisavisHead
{
public:
	/** Null: Problem says why. */
	static TSharedPtr<FVisavisStreamHead> Open(const FVisavisConnection& Connection, const FString& Followed,
											   FString& Problem);

	virtual bool Sample(FVisavisFace& Face) override;
	virtual FString PushUserAudio(const float* Samples, int32 NumSamples, int32 SampleRate) override;
	virtual FString PushAgentAudio(const float* Samples, int32 NumSamples, int32 SampleRate) override;
	virtual FString PushUserFace(const float* Values) override;
	virtual FString SetDial(const FString& Dial, double Value) override;
	virtual FString BargeIn() override;
	virtual void WriteLog() override;
	virtual FString Status() const override;
	virtual void Close() override { bClosed = true; }
	virtual bool ReadVoice(float* Samples, int32 NumSamples, int32 SampleRate) override;

private:
	FVisavisStreamHead(const TSharedPtr<FVisavisClient>& InClient, int32 InHandle, const FString& InName)
		: Client(InClient), Handle(InHandle), Name(InName)
	{
	}

	TSharedPtr<FVisavisClient> Client;
	int32 Handle;
	FString Name;
	FVisavisWatch Watch;
	bool bNeutral = true;
	std::atomic<bool> bClosed{false};
};
