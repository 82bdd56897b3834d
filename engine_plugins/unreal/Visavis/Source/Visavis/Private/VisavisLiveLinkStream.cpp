#include "VisavisLiveLinkStream.h"

#include "VisavisLog.h"

void FVisavisLiveLinkStream::Open(const FVisavisConnection& InConnection)
{
	Close();
	Connection = InConnection;
	Client = FVisavisClient::Open(Connection, false, 0, Problem);
	if (!Client.IsValid())
	{
		UE_LOG(LogVisavis, Error, TEXT("Live Link source %s: %s"), *Connection.Endpoint, *Problem);
		return;
	}
	for (const FString& Name : Connection.Heads)
	{
		Follow(Name);
	}
}

void FVisavisLiveLinkStream::Follow(const FString& Name)
{
	const int32 Handle = vvc_follow(Client->Get(), TCHAR_TO_UTF8(*Name));
	if (Handle < 0)
	{
		UE_LOG(LogVisavis, Error, TEXT("Live Link source %s: head \"%s\": %s"), *Connection.Endpoint, *Name,
			   UTF8_TO_TCHAR(vvc_last_error()));
		return;
	}
	FHead Head;
	Head.Name = Name;
	Head.Handle = Handle;
	Head.Subject = MakeUnique<FVisavisSubject>(LiveLink, Source, FName(*(Connection.SubjectPrefix + Name)), Connection);
	Heads.Add(MoveTemp(Head));
}

void FVisavisLiveLinkStream::FollowAll()
{
	char Names[4096];
	vvc_list_heads(Client->Get(), Names, sizeof(Names));
	TArray<FString> Known;
	FString(UTF8_TO_TCHAR(Names)).ParseIntoArray(Known, TEXT("\n"), true);
	for (const FString& Name : Known)
	{
		if (!Heads.ContainsByPredicate([&Name](const FHead& Head) { return Head.Name == Name; }))
		{
			Follow(Name);
		}
	}
}

void FVisavisLiveLinkStream::Tick()
{
	if (!Client.IsValid())
	{
		return;
	}
	Client->WriteLog();
	if (Connection.Heads.Num() == 0 && NumTicks++ % 8 == 0)
	{
		FollowAll();
	}
	for (FHead& Head : Heads)
	{
		Show(Head);
	}
}

void FVisavisLiveLinkStream::Show(FHead& Head)
{
	FVisavisFace Face;
	if (!Client->Sample(Head.Handle, Face))
	{
		return;
	}
	Head.Watch.Look(*Client, Head.Handle,
					FString::Printf(TEXT("Live Link subject \"%s%s\""), *Connection.SubjectPrefix, *Head.Name),
					Face.bNeutral);
	// A face at rest is pushed once: also before anything has come, so that the subject can be chosen.
	const bool bMoved = Face.bNeutral ? !Head.bPushedNeutral : Face.SessionNs != Head.PushedNs || Head.bPushedNeutral;
	if (bMoved)
	{
		Head.Subject->Push(Face);
		Head.PushedNs = Face.SessionNs;
		Head.bPushedNeutral = Face.bNeutral;
	}
}

void FVisavisLiveLinkStream::Close()
{
	for (FHead& Head : Heads)
	{
		Head.Subject->Remove();
	}
	Heads.Empty();
	Client.Reset();
	Problem.Empty();
}

FString FVisavisLiveLinkStream::Status() const
{
	if (!Client.IsValid())
	{
		return Problem;
	}
	return Client->Status(Heads.Num() == 1 ? Heads[0].Handle : INDEX_NONE);
}
