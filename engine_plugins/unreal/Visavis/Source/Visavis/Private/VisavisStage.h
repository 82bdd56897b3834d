// The stage: all in-process heads of one model, generated on the library's own thread.  Loading, measuring and closing
// happen away from the game thread.
#pragma once

#include "CoreMinimal.h"

#include "VisavisHead.h"
#include "VisavisRuntime.h"

#include <atomic>

struct FVisavisStageFiles
{
	FString Library;
	FString Model;
	/** From the audio thread to the loudspeaker: the face waits as long. */
	int64 OutputNs = 0;
};

class FVisavisStage
{
public:
	/** The stage of these files that others hold, or one that is being loaded; null without a Problem: ask again. */
	static TSharedPtr<FVisavisStage> Share(const FVisavisStageFiles& Files, FString& Problem);
	/** Waits for what is still being loaded or closed.  Game thread, when the module is shut down. */
	static void WaitUntilClosed();
	~FVisavisStage();

	const FVisavisRuntime& Runtime() const { return *Calls; }
	vv_stage* Get() const { return Handle; }
	/** A name that no open head has. */
	FString TakeName();
	void ReturnName(const FString& Name) { Free.Add(Name); }
	void WriteLog() const;

private:
	friend struct FVisavisStageLoad;
	static TSharedPtr<FVisavisStage> Load(const FVisavisStageFiles& Files, FString& Problem);
	FVisavisStage(const FVisavisRuntime* InCalls, vv_stage* InHandle) : Calls(InCalls), Handle(InHandle) {}

	const FVisavisRuntime* Calls;
	vv_stage* Handle;
	TArray<FString> Free;
	int32 NumNames = 0;
};

class FVisavisStageHead : public IVisavisHead
{
public:
	/** Null: Problem says why. */
	static TSharedPtr<FVisavisStageHead> Open(const TSharedPtr<FVisavisStage>& On, bool bLive, int64 Seed,
											  FString& Problem);
	virtual ~FVisavisStageHead() override { Close(); }

	virtual bool Sample(FVisavisFace& Face) override;
	virtual FString PushUserAudio(const float* Samples, int32 NumSamples, int32 SampleRate) override;
	virtual FString PushAgentAudio(const float* Samples, int32 NumSamples, int32 SampleRate) override;
	virtual FString PushUserFace(const float* Values) override;
	virtual FString SetDial(const FString& Dial, double Value) override;
	virtual FString BargeIn() override;
	virtual void WriteLog() override { Stage->WriteLog(); }
	virtual FString Status() const override;
	virtual void Close() override;
	virtual bool ReadVoice(float* Samples, int32 NumSamples, int32 SampleRate) override;

private:
	FVisavisStageHead(const TSharedPtr<FVisavisStage>& InStage, int32 InHandle, const FString& InName)
		: Stage(InStage), Handle(InHandle), Name(InName)
	{
	}
	FString Said(vv_status Status) const;

	TSharedPtr<FVisavisStage> Stage;
	int32 Handle;
	FString Name;
	std::atomic<bool> bClosed{false};
};
