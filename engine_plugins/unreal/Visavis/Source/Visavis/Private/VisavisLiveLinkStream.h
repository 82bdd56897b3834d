// What the Live Link source's thread does: one connection, its heads, a subject for each.  One thread uses it.
#pragma once

#include "CoreMinimal.h"

#include "VisavisClient.h"
#include "VisavisSubject.h"

class FVisavisLiveLinkStream
{
public:
	FVisavisLiveLinkStream(ILiveLinkClient& InClient, const FGuid& InSource) : LiveLink(InClient), Source(InSource) {}
	/** Ends what was open.  A connection that cannot be is said in the status and the log. */
	void Open(const FVisavisConnection& InConnection);
	/** Samples every head and pushes what has moved. */
	void Tick();
	/** Removes the subjects. */
	void Close();
	FString Status() const;

private:
	struct FHead
	{
		FString Name;
		int32 Handle;
		TUniquePtr<FVisavisSubject> Subject;
		FVisavisWatch Watch;
		int64 PushedNs = 0;
		bool bPushedNeutral = false;
	};

	void Follow(const FString& Name);
	void FollowAll();
	void Show(FHead& Head);

	ILiveLinkClient& LiveLink;
	FGuid Source;
	FVisavisConnection Connection;
	TSharedPtr<FVisavisClient> Client;
	TArray<FHead> Heads;
	FString Problem;
	uint32 NumTicks = 0;
};
