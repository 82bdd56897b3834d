#include "VisavisStage.h"

#include "Async/Async.h"
#include "Misc/ScopeLock.h"

#include "VisavisLog.h"

/** What a loading thread leaves for the game thread. */
struct FVisavisStageLoad
{
	/** Apart from the future, whose thread may keep it for as long as it likes. */
	struct FResult
	{
		TSharedPtr<FVisavisStage> Stage;
		FString Problem;
	};

	explicit FVisavisStageLoad(const FVisavisStageFiles& Files) : Result(MakeShared<FResult>())
	{
		Done = Async(EAsyncExecution::Thread,
					 [Kept = Result, Files] { Kept->Stage = FVisavisStage::Load(Files, Kept->Problem); });
	}

	TSharedPtr<FResult> Result;
	TFuture<void> Done;
};

namespace
{
	FCriticalSection StagesClosingLock;
	TArray<TFuture<void>> StagesClosing;

	struct FShared
	{
		TSharedPtr<FVisavisStageLoad> Loading;
		TWeakPtr<FVisavisStage> Stage;
	};

	/** Game thread. */
	TMap<FString, FShared>& SharedStages()
	{
		static TMap<FString, FShared> Stages;
		return Stages;
	}
}  // namespace

TSharedPtr<FVisavisStage> FVisavisStage::Share(const FVisavisStageFiles& Files, FString& Problem)
{
	FShared& Entry = SharedStages().FindOrAdd(Files.Library + TEXT("|") + Files.Model);
	if (TSharedPtr<FVisavisStage> Stage = Entry.Stage.Pin())
	{
		return Stage;
	}
	if (!Entry.Loading.IsValid())
	{
		Entry.Loading = MakeShared<FVisavisStageLoad>(Files);
	}
	if (!Entry.Loading->Done.IsReady())
	{
		return nullptr;
	}
	const TSharedPtr<FVisavisStage> Stage = Entry.Loading->Result->Stage;
	Problem = Entry.Loading->Result->Problem;
	Entry.Loading->Result->Stage.Reset();
	Entry.Loading.Reset();
	Entry.Stage = Stage;
	return Stage;
}

TSharedPtr<FVisavisStage> FVisavisStage::Load(const FVisavisStageFiles& Files, FString& Problem)
{
	const FVisavisRuntime* const Library = FVisavisRuntime::Load(Files.Library, Problem);
	if (Library == nullptr)
	{
		return nullptr;
	}
	vv_model* Model = nullptr;
	vv_engine* Engine = nullptr;
	vv_stage* Stage = nullptr;
	vv_stage_config Config;
	Library->default_stage_config(&Config, static_cast<uint32>(sizeof(Config)));
	Config.output_ns = Files.OutputNs;
	const bool bMade = Library->model_load(TCHAR_TO_UTF8(*Files.Model), &Model) == VV_OK &&
					   Library->engine_create(Model, nullptr, &Engine) == VV_OK &&
					   Library->stage_create(Engine, &Config, &Stage) == VV_OK;
	if (!bMade)
	{
		Problem = UTF8_TO_TCHAR(Library->last_error());
	}
	Library->engine_destroy(Engine);  // the stage keeps what it needs
	Library->model_destroy(Model);
	return bMade ? TSharedPtr<FVisavisStage>(MakeShareable(new FVisavisStage(Library, Stage))) : nullptr;
}

FVisavisStage::~FVisavisStage()
{
	// It joins the stage's thread, which may be in the middle of a turn.
	FScopeLock Lock(&StagesClosingLock);
	StagesClosing.RemoveAll([](const TFuture<void>& Done) { return Done.IsReady(); });
	StagesClosing.Add(
		Async(EAsyncExecution::Thread, [Last = Handle, Destroy = Calls->stage_destroy] { Destroy(Last); }));
}

void FVisavisStage::WaitUntilClosed()
{
	for (TPair<FString, FShared>& Entry : SharedStages())
	{
		if (Entry.Value.Loading.IsValid())
		{
			Entry.Value.Loading->Done.Wait();
		}
	}
	SharedStages().Empty();
	FScopeLock Lock(&StagesClosingLock);
	for (TFuture<void>& Done : StagesClosing)
	{
		Done.Wait();
	}
	StagesClosing.Empty();
}

FString FVisavisStage::TakeName()
{
	// Late, so that a new character never begins with the face that the last one of this name eases from.
	if (Free.Num() == 0 || NumNames < 64)
	{
		return FString::Printf(TEXT("head %d"), NumNames++);
	}
	const FString Name = Free[0];
	Free.RemoveAt(0);
	return Name;
}

void FVisavisStage::WriteLog() const
{
	int32_t Level = 0;
	char Line[512];
	while (Calls->stage_next_log(Handle, &Level, Line, sizeof(Line)) != 0)
	{
		if (Level == VV_LOG_ERROR)
		{
			UE_LOG(LogVisavis, Error, TEXT("%s"), UTF8_TO_TCHAR(Line));
		}
		else
		{
			UE_LOG(LogVisavis, Log, TEXT("%s"), UTF8_TO_TCHAR(Line));
		}
	}
}

TSharedPtr<FVisavisStageHead> FVisavisStageHead::Open(const TSharedPtr<FVisavisStage>& On, bool bLive, int64 Seed,
													  FString& Problem)
{
	vv_session_config Config;
	On->Runtime().default_session_config(&Config, static_cast<uint32>(sizeof(Config)));
	Config.agent_audio = bLive ? VV_AGENT_AUDIO_LIVE : VV_AGENT_AUDIO_AHEAD;
	Config.seed = static_cast<uint64>(Seed);
	const FString Taken = On->TakeName();
	const int32 Number = On->Runtime().stage_open_head(On->Get(), TCHAR_TO_UTF8(*Taken), &Config);
	if (Number < 0)
	{
		Problem = UTF8_TO_TCHAR(On->Runtime().last_error());
		On->ReturnName(Taken);
		return nullptr;
	}
	return MakeShareable(new FVisavisStageHead(On, Number, Taken));
}

FString FVisavisStageHead::Said(vv_status Status) const
{
	return Status == VV_OK ? FString() : FString(UTF8_TO_TCHAR(Stage->Runtime().last_error()));
}

bool FVisavisStageHead::Sample(FVisavisFace& Face)
{
	vv_face Shown;
	Shown.struct_size = static_cast<uint32>(sizeof(Shown));
	if (Stage->Runtime().stage_sample(Stage->Get(), Handle, Stage->Runtime().now(), &Shown) != VV_OK)
	{
		return false;
	}
	FMemory::Memcpy(Face.Shapes, Shown.shapes, sizeof(Face.Shapes));
	Face.Yaw = Shown.yaw;
	Face.Pitch = Shown.pitch;
	Face.Roll = Shown.roll;
	Face.SessionNs = Shown.session_ns;
	Face.Epoch = Shown.epoch;
	Face.bSpeaking = (Shown.state & VV_FACE_SPEAKING) != 0;
	Face.bNeutral = (Shown.state & VV_FACE_NEUTRAL) != 0;
	return true;
}

FString FVisavisStageHead::PushUserAudio(const float* Samples, int32 NumSamples, int32 SampleRate)
{
	return Said(Stage->Runtime().stage_send_user_audio(Stage->Get(), Handle, Samples, static_cast<uint32>(NumSamples),
													   static_cast<uint32>(SampleRate), VV_TIME_NEXT));
}

FString FVisavisStageHead::PushAgentAudio(const float* Samples, int32 NumSamples, int32 SampleRate)
{
	return Said(Stage->Runtime().stage_send_agent_audio(Stage->Get(), Handle, Samples, static_cast<uint32>(NumSamples),
														static_cast<uint32>(SampleRate), VV_TIME_NEXT));
}

FString FVisavisStageHead::PushUserFace(const float* Values)
{
	return Said(Stage->Runtime().stage_send_user_face(Stage->Get(), Handle, Values, VV_TIME_NEXT));
}

FString FVisavisStageHead::SetDial(const FString& Dial, double Value)
{
	return Said(Stage->Runtime().stage_set_dial(Stage->Get(), Handle, TCHAR_TO_UTF8(*Dial), Value));
}

FString FVisavisStageHead::BargeIn()
{
	return Said(Stage->Runtime().stage_cancel(Stage->Get(), Handle, VV_TIME_NEXT));
}

FString FVisavisStageHead::Status() const
{
	char Text[1024] = "";
	Stage->Runtime().stage_status_text(Stage->Get(), Handle, Text, sizeof(Text));
	return FString(UTF8_TO_TCHAR(Text));
}

void FVisavisStageHead::Close()
{
	if (!bClosed.exchange(true))
	{
		Stage->Runtime().stage_close_head(Stage->Get(), TCHAR_TO_UTF8(*Name));
		Stage->ReturnName(Name);
	}
}

bool FVisavisStageHead::ReadVoice(float* Samples, int32 NumSamples, int32 SampleRate)
{
	return !bClosed && Stage->Runtime().stage_read_audio(Stage->Get(), Handle, Stage->Runtime().now(), Samples,
														 static_cast<uint32>(NumSamples),
														 static_cast<uint32>(SampleRate), nullptr) == VV_OK;
}
