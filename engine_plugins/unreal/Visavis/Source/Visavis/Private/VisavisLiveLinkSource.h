// The Live Link source: heads of a server as subjects.  A thread of its own opens, samples, pushes and closes; the game
// thread only leaves settings and reads the status.
#pragma once

#include "CoreMinimal.h"
#include "HAL/CriticalSection.h"
#include "HAL/Runnable.h"
#include "ILiveLinkSource.h"

#include "VisavisConnection.h"

#include <atomic>

class FEvent;
class FRunnableThread;
class ILiveLinkClient;

class FVisavisLiveLinkSource : public ILiveLinkSource, public FRunnable
{
public:
	explicit FVisavisLiveLinkSource(const FVisavisConnection& InConnection);
	virtual ~FVisavisLiveLinkSource() override;

	// ILiveLinkSource, game thread
	virtual void ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid) override;
	virtual bool IsSourceStillValid() const override;
	/** Does not wait: Live Link asks again until the thread is done. */
	virtual bool RequestSourceShutdown() override;
	virtual FText GetSourceType() const override;
	virtual FText GetSourceMachineName() const override;
	virtual FText GetSourceStatus() const override;
	virtual TSubclassOf<ULiveLinkSourceSettings> GetSettingsClass() const override;
	virtual void InitializeSettings(ULiveLinkSourceSettings* Settings) override;
	virtual void OnSettingsChanged(ULiveLinkSourceSettings* Settings, const FPropertyChangedEvent& Event) override;

	// FRunnable
	virtual uint32 Run() override;
	virtual void Stop() override;

private:
	/** What the thread is to do; a higher version: it has changed. */
	FVisavisConnection Wanted(int32& Version) const;
	void SetStatus(const FString& Text);

	ILiveLinkClient* Client = nullptr;
	FGuid SourceGuid;
	FRunnableThread* Thread = nullptr;
	FEvent* Wake = nullptr;
	std::atomic<bool> bStop{false};
	std::atomic<bool> bDone{false};

	/** Held to copy, never across a call that waits. */
	mutable FCriticalSection Lock;
	FVisavisConnection Connection;
	int32 ConnectionVersion = 1;
	FString Status;
};
