#include "VisavisClient.h"

#include "Async/Async.h"
#include "HAL/PlatformTime.h"
#include "Misc/ScopeLock.h"

#include "VisavisLog.h"
#include "VisavisSettings.h"

namespace
{
	FCriticalSection ClosingLock;
	TArray<TFuture<void>> Closing;

	/** Game thread. */
	TMap<FString, TWeakPtr<FVisavisClient>>& Shared()
	{
		static TMap<FString, TWeakPtr<FVisavisClient>> Clients;
		return Clients;
	}

	bool CopyKey(const FString& Key, uint8 (&Bytes)[VVC_KEY_BYTES])
	{
		const FTCHARToUTF8 Text(*Key);
		if (Text.Length() >= VVC_KEY_BYTES)
		{
			return false;
		}
		FMemory::Memcpy(Bytes, Text.Get(), static_cast<SIZE_T>(Text.Length()));
		Bytes[Text.Length()] = 0;
		return true;
	}

	bool CopyKeys(const FVisavisConnection& Connection, vvc_options& Options)
	{
		return CopyKey(Connection.ServerKey, Options.server_key) && CopyKey(Connection.PublicKey, Options.public_key) &&
			   CopyKey(Connection.SecretKey, Options.secret_key);
	}

	void WriteLine(int32 Level, const char* Line)
	{
		const FString Text(UTF8_TO_TCHAR(Line));
		switch (Level)
		{
			case VVC_LOG_ERROR: UE_LOG(LogVisavis, Error, TEXT("%s"), *Text); break;
			case VVC_LOG_WARNING: UE_LOG(LogVisavis, Warning, TEXT("%s"), *Text); break;
			default: UE_LOG(LogVisavis, Log, TEXT("%s"), *Text);
		}
	}
}  // namespace

TSharedPtr<FVisavisClient> FVisavisClient::Open(const FVisavisConnection& Connection, bool bVoices, int64 OutputNs,
												FString& Problem)
{
	vvc_options Options;
	vvc_client* Opened = nullptr;
	vvc_default_options(&Options, static_cast<uint32>(sizeof(Options)));
	Options.flags = bVoices ? 0 : VVC_NO_AUDIO;
	Options.output_ns = OutputNs;
	if (!CopyKeys(Connection, Options))
	{
		Problem = TEXT("keys: expected 40 characters of Z85 (visavis keys new)");
		return nullptr;
	}
	const vvc_result Result = vvc_open(TCHAR_TO_UTF8(*Connection.Endpoint), &Options, &Opened);
	if (Result == VVC_OK)
	{
		return MakeShareable(new FVisavisClient(Opened));
	}
	Problem = UTF8_TO_TCHAR(vvc_last_error());
	if (Result == VVC_ERROR_UNSUPPORTED)
	{
		Problem +=
			TEXT(" (put libsodium into ThirdParty/Sodium of the plugin and build it again; its README says how)");
	}
	return nullptr;
}

TSharedPtr<FVisavisClient> FVisavisClient::Share(const FVisavisConnection& Connection, FString& Problem)
{
	const FString Key = Connection.Endpoint + TEXT(" ") + Connection.ServerKey + TEXT(" ") + Connection.PublicKey;
	if (const TWeakPtr<FVisavisClient>* Found = Shared().Find(Key))
	{
		if (TSharedPtr<FVisavisClient> Client = Found->Pin())
		{
			return Client;
		}
	}
	const int64 OutputNs = static_cast<int64>(GetDefault<UVisavisSettings>()->OutputLatencyMs * 1e6);
	TSharedPtr<FVisavisClient> Client = Open(Connection, true, OutputNs, Problem);
	Shared().Add(Key, Client);
	return Client;
}

FVisavisClient::~FVisavisClient()
{
	vvc_client* const Last = Handle;
	FScopeLock Lock(&ClosingLock);
	Closing.RemoveAll([](const TFuture<void>& Done) { return Done.IsReady(); });
	Closing.Add(Async(EAsyncExecution::Thread, [Last] { vvc_close(Last); }));
}

void FVisavisClient::WaitUntilClosed()
{
	Shared().Empty();
	FScopeLock Lock(&ClosingLock);
	for (TFuture<void>& Done : Closing)
	{
		Done.Wait();
	}
	Closing.Empty();
}

bool FVisavisClient::Sample(int32 Head, FVisavisFace& Face) const
{
	vvc_frame Frame;
	Frame.struct_size = static_cast<uint32>(sizeof(Frame));
	if (vvc_sample(Handle, Head, vvc_now(), &Frame) != VVC_OK)
	{
		return false;
	}
	FMemory::Memcpy(Face.Shapes, Frame.shapes, sizeof(Face.Shapes));
	Face.Yaw = Frame.yaw;
	Face.Pitch = Frame.pitch;
	Face.Roll = Frame.roll;
	Face.SessionNs = Frame.session_ns;
	Face.Epoch = Frame.epoch;
	Face.bSpeaking = (Frame.state & VVC_SPEAKING) != 0;
	Face.bNeutral = (Frame.state & VVC_NEUTRAL) != 0;
	return true;
}

FString FVisavisClient::Status(int32 Head) const
{
	char Text[1024] = "";
	vvc_status_text(Handle, Head, Text, sizeof(Text));
	return FString(UTF8_TO_TCHAR(Text));
}

void FVisavisClient::WriteLog() const
{
	int32_t Level = 0;
	char Line[512];
	while (vvc_next_log(Handle, &Level, Line, sizeof(Line)) != 0)
	{
		WriteLine(Level, Line);
	}
}

void FVisavisWatch::Look(const FVisavisClient& Client, int32 Head, const FString& Name, bool bNeutral)
{
	const double Now = FPlatformTime::Seconds();
	if (!bNeutral)
	{
		NextLook = 0.0;
		Said.Empty();
	}
	else if (NextLook == 0.0)
	{
		NextLook = Now + Patience;
	}
	else if (Now >= NextLook)
	{
		NextLook = Now + Patience;
		const FString Status = Client.Status(Head);
		FString Reason;
		for (const TCHAR Char : Status)
		{
			Reason.AppendChar(FChar::IsDigit(Char) ? TEXT('0')
												   : Char);  // "for 2.1 s" is no other reason than "for 4.1 s"
		}
		if (Reason != Said)
		{
			Said = Reason;
			UE_LOG(LogVisavis, Warning, TEXT("%s does not move: %s"), *Name, *Status);
		}
	}
}
