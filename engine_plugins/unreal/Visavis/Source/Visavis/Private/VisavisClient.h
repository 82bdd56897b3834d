// The stream client's handle: opened from a connection, shared by the heads of one server, closed away from the game.
#pragma once

#include "CoreMinimal.h"

#include "VisavisConnection.h"
#include "VisavisFace.h"

#include "visavis/client.h"

class FVisavisClient
{
public:
	/** Returns at once; null: Problem says what was wrong with the connection.  OutputNs: from the audio thread to the
	 *  loudspeaker.  Any thread. */
	static TSharedPtr<FVisavisClient> Open(const FVisavisConnection& Connection, bool bVoices, int64 OutputNs,
										   FString& Problem);
	/** The client of this connection that others already hold, or a new one.  Game thread. */
	static TSharedPtr<FVisavisClient> Share(const FVisavisConnection& Connection, FString& Problem);
	/** Waits for clients that are still closing.  Game thread, when the module is shut down. */
	static void WaitUntilClosed();
	/** The last reference may go on any thread: the handle is closed on a thread of its own, since that may wait for the
	 *  system to look up a host's name. */
	~FVisavisClient();

	vvc_client* Get() const { return Handle; }
	/** False: the face is not to be touched (another thread samples this head). */
	bool Sample(int32 Head, FVisavisFace& Face) const;
	/** Why nothing moves, or that all is well; Head may be INDEX_NONE. */
	FString Status(int32 Head) const;
	/** The client's new lines, into Unreal's log. */
	void WriteLog() const;

private:
	explicit FVisavisClient(vvc_client* InHandle) : Handle(InHandle) {}

	vvc_client* Handle;
};

/** Says why a head stands still: after two seconds, and again when the reason is another one. */
class FVisavisWatch
{
public:
	void Look(const FVisavisClient& Client, int32 Head, const FString& Name, bool bNeutral);

private:
	static constexpr double Patience = 2.0;

	double NextLook = 0.0;
	FString Said;
};
