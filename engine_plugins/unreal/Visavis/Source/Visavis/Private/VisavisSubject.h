// A Live Link subject of the Basic role: 52 ARKit curves, HeadYaw, HeadPitch and HeadRoll, world time, scene time.
#pragma once

#include "CoreMinimal.h"
#include "LiveLinkTypes.h"
#include "Misc/QualifiedFrameTime.h"

#include "VisavisConnection.h"
#include "VisavisFace.h"

class ILiveLinkClient;

/** Session time as frames and sub-frames at a rate; a new epoch of the session clock is laid out anew. */
class FVisavisSceneClock
{
public:
	FVisavisSceneClock(const FFrameRate& InRate, EVisavisSceneTime InFrom) : Rate(InRate), From(InFrom) {}
	FQualifiedFrameTime At(int64 SessionNs, uint32 Epoch);
	/** Exact: whole frames by integers, the sub-frame in [0, 1). */
	static FFrameTime ToFrames(int64 TimeNs, const FFrameRate& Of);

private:
	FFrameRate Rate;
	EVisavisSceneTime From;
	uint32 AnchoredEpoch = 0;
	int64 AnchorNs = 0;
};

class FVisavisSubject
{
public:
	FVisavisSubject(ILiveLinkClient& InClient, const FGuid& Source, FName Name, const FVisavisConnection& Connection);
	/** Any thread, one at a time. */
	void Push(const FVisavisFace& Face);
	/** The last call. */
	void Remove();

private:
	void PushStatic();

	ILiveLinkClient& Client;
	FLiveLinkSubjectKey Key;
	FVisavisSceneClock SceneClock;
	EVisavisAngleUnit AngleUnit;
	bool bStaticPushed = false;
};
