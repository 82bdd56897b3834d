// Where a server is and how its heads become Live Link subjects: the same struct in the Live Link window, in presets
// (as a connection string) and in Blueprint.
#pragma once

#include "CoreMinimal.h"
#include "Misc/FrameRate.h"

#include "VisavisConnection.generated.h"

/** Unit of the curves HeadYaw, HeadPitch and HeadRoll. */
UENUM(BlueprintType)
enum class EVisavisAngleUnit : uint8
{
	Radians,
	Degrees,
	/** 180 degrees are 1. */
	HalfTurns
};

/** What a frame's scene time counts from. */
UENUM(BlueprintType)
enum class EVisavisSceneTime : uint8
{
	/** Midnight, local: agrees with the engine's timecode. */
	TimeOfDay,
	/** The beginning of the conversation. */
	SessionClock
};

USTRUCT(BlueprintType)
struct VISAVIS_API FVisavisConnection
{
	GENERATED_BODY()

	/** tcp://HOST:PORT of the server's motion port, the first of its three. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	FString Endpoint = TEXT("tcp://127.0.0.1:5570");

	/** Heads to follow; none: all that the server has. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	TArray<FString> Heads;

	/** Before a head's name in its Live Link subject's name. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	FString SubjectPrefix;

	/** Live Link frames a second, 1 to 240. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis", meta = (ClampMin = "1", ClampMax = "240"))
	int32 SampleRate = 60;

	/** Rate of the frames' scene time (timecode); what lies between is the sub-frame. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	FFrameRate SceneRate = FFrameRate(30, 1);

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	EVisavisSceneTime SceneTime = EVisavisSceneTime::TimeOfDay;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	EVisavisAngleUnit AngleUnit = EVisavisAngleUnit::Radians;

	/** The server's public key (visavis keys); empty: not encrypted.  Needs a build with libsodium. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Keys", AdvancedDisplay)
	FString ServerKey;

	/** This client's keys where the server has a list of clients; empty: a fresh pair.  Presets keep them in clear. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Keys", AdvancedDisplay)
	FString PublicKey;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Keys", AdvancedDisplay)
	FString SecretKey;

	/** "endpoint=tcp://HOST:PORT;heads=a,b;rate=60;..."; FromString(ToString()) is the same connection. */
	FString ToString() const;

	/** What is not named keeps its value from Defaults.  An endpoint alone is enough.  Each problem names the part, the
	 *  value found and the value expected; the part keeps its default. */
	static FVisavisConnection FromString(const FString& Text, const FVisavisConnection& Defaults,
										 TArray<FString>& Problems);
};
