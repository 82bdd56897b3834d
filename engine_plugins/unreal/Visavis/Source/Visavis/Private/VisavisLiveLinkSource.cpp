#include "VisavisLiveLinkSource.h"

#include "HAL/Event.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "HAL/RunnableThread.h"
#include "Misc/ScopeLock.h"

#include "VisavisLiveLinkSettings.h"
#include "VisavisLiveLinkStream.h"

#define LOCTEXT_NAMESPACE "Visavis"

FVisavisLiveLinkSource::FVisavisLiveLinkSource(const FVisavisConnection& InConnection) : Connection(InConnection) {}

FVisavisLiveLinkSource::~FVisavisLiveLinkSource()
{
	Stop();
	if (Thread != nullptr)
	{
		Thread->WaitForCompletion();
		delete Thread;
	}
	if (Wake != nullptr)
	{
		FPlatformProcess::ReturnSynchEventToPool(Wake);
	}
}

void FVisavisLiveLinkSource::ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid)
{
	Client = InClient;
	SourceGuid = InSourceGuid;
	Wake = FPlatformProcess::GetSynchEventFromPool(false);
	Thread = FRunnableThread::Create(this, TEXT("VisavisLiveLink"), 0, TPri_AboveNormal);
	if (Thread == nullptr)
	{
		SetStatus(TEXT("the system gives no thread"));
		bDone = true;
	}
}

bool FVisavisLiveLinkSource::IsSourceStillValid() const
{
	return Thread != nullptr && !bStop && !bDone;
}

bool FVisavisLiveLinkSource::RequestSourceShutdown()
{
	Stop();
	return Thread == nullptr || bDone;
}

FText FVisavisLiveLinkSource::GetSourceType() const
{
	return LOCTEXT("SourceType", "Visavis");
}

FText FVisavisLiveLinkSource::GetSourceMachineName() const
{
	FScopeLock Guard(&Lock);
	return FText::FromString(Connection.Endpoint);
}

FText FVisavisLiveLinkSource::GetSourceStatus() const
{
	FScopeLock Guard(&Lock);
	return FText::FromString(Status);
}

TSubclassOf<ULiveLinkSourceSettings> FVisavisLiveLinkSource::GetSettingsClass() const
{
	return UVisavisLiveLinkSettings::StaticClass();
}

void FVisavisLiveLinkSource::InitializeSettings(ULiveLinkSourceSettings* Settings)
{
	// The connection string made this source, also when a preset is loaded: the settings show it.
	FScopeLock Guard(&Lock);
	Settings->ConnectionString = Connection.ToString();
	if (UVisavisLiveLinkSettings* Shown = Cast<UVisavisLiveLinkSettings>(Settings))
	{
		Shown->Connection = Connection;
	}
}

void FVisavisLiveLinkSource::OnSettingsChanged(ULiveLinkSourceSettings* Settings, const FPropertyChangedEvent& Event)
{
	ILiveLinkSource::OnSettingsChanged(Settings, Event);
	const UVisavisLiveLinkSettings* Changed = Cast<UVisavisLiveLinkSettings>(Settings);
	const FString Text = Changed != nullptr ? Changed->Connection.ToString() : FString();
	FScopeLock Guard(&Lock);
	if (Changed != nullptr && Text != Connection.ToString())
	{
		Settings->ConnectionString = Text;
		Connection = Changed->Connection;
		++ConnectionVersion;
	}
}

FVisavisConnection FVisavisLiveLinkSource::Wanted(int32& Version) const
{
	FScopeLock Guard(&Lock);
	Version = ConnectionVersion;
	return Connection;
}

void FVisavisLiveLinkSource::SetStatus(const FString& Text)
{
	FScopeLock Guard(&Lock);
	Status = Text;
}

void FVisavisLiveLinkSource::Stop()
{
	bStop = true;
	if (Wake != nullptr)
	{
		Wake->Trigger();
	}
}

uint32 FVisavisLiveLinkSource::Run()
{
	FVisavisLiveLinkStream Stream(*Client, SourceGuid);
	int32 OpenVersion = 0;
	double Next = FPlatformTime::Seconds();
	for (uint32 Tick = 0; !bStop; ++Tick)
	{
		int32 Version = 0;
		const FVisavisConnection Now = Wanted(Version);
		if (Version != OpenVersion)
		{
			OpenVersion = Version;
			Stream.Open(Now);
		}
		Stream.Tick();
		if (Tick % 16 == 0)
		{
			SetStatus(Stream.Status());
		}
		Next = FMath::Max(Next + 1.0 / FMath::Clamp(Now.SampleRate, 1, 240), FPlatformTime::Seconds());
		Wake->Wait(FTimespan::FromSeconds(Next - FPlatformTime::Seconds()));
	}
	Stream.Close();
	bDone = true;
	return 0;
}

#undef LOCTEXT_NAMESPACE
