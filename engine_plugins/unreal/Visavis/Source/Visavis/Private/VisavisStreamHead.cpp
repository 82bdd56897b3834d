#include "VisavisStreamHead.h"

#include "VisavisLog.h"

namespace
{
	FString Said(bool bGood)
	{
		return bGood ? FString() : FString(UTF8_TO_TCHAR(vvc_last_error()));
	}
}  // namespace

TSharedPtr<FVisavisStreamHead> FVisavisStreamHead::Open(const FVisavisConnection& Connection, const FString& Followed,
														FString& Problem)
{
	const TSharedPtr<FVisavisClient> Shared = FVisavisClient::Share(Connection, Problem);
	if (!Shared.IsValid())
	{
		return nullptr;
	}
	const int32 Number = vvc_follow(Shared->Get(), TCHAR_TO_UTF8(*Followed));
	if (Number < 0)
	{
		Problem = UTF8_TO_TCHAR(vvc_last_error());
		return nullptr;
	}
	return MakeShareable(new FVisavisStreamHead(Shared, Number, Followed));
}

bool FVisavisStreamHead::Sample(FVisavisFace& Face)
{
	const bool bSampled = Client->Sample(Handle, Face);
	bNeutral = bSampled ? Face.bNeutral : bNeutral;
	return bSampled;
}

FString FVisavisStreamHead::PushUserAudio(const float* Samples, int32 NumSamples, int32 SampleRate)
{
	return Said(vvc_send_user_audio(Client->Get(), Handle, Samples, static_cast<uint32>(NumSamples),
									static_cast<uint32>(SampleRate), VVC_TIME_NEXT) == VVC_OK);
}

FString FVisavisStreamHead::PushAgentAudio(const float* Samples, int32 NumSamples, int32 SampleRate)
{
	return Said(vvc_send_agent_audio(Client->Get(), Handle, Samples, static_cast<uint32>(NumSamples),
									 static_cast<uint32>(SampleRate), VVC_TIME_NEXT) == VVC_OK);
}

FString FVisavisStreamHead::PushUserFace(const float* Values)
{
	return Said(vvc_send_user_face(Client->Get(), Handle, Values, VVC_TIME_NEXT) == VVC_OK);
}

// What the server refuses later stands in the client's log.
FString FVisavisStreamHead::SetDial(const FString& Dial, double Value)
{
	return Said(vvc_set_dial(Client->Get(), Handle, TCHAR_TO_UTF8(*Dial), Value) > 0);
}

FString FVisavisStreamHead::BargeIn()
{
	return Said(vvc_cancel(Client->Get(), Handle, VVC_TIME_NEXT) > 0);
}

void FVisavisStreamHead::WriteLog()
{
	Client->WriteLog();
	Watch.Look(*Client, Handle, FString::Printf(TEXT("head \"%s\""), *Name), bNeutral);
}

FString FVisavisStreamHead::Status() const
{
	return Client->Status(Handle);
}

bool FVisavisStreamHead::ReadVoice(float* Samples, int32 NumSamples, int32 SampleRate)
{
	return !bClosed && vvc_read_audio(Client->Get(), Handle, vvc_now(), Samples, static_cast<uint32>(NumSamples),
									  static_cast<uint32>(SampleRate), nullptr) == VVC_OK;
}
