#include "VisavisSubject.h"

#include "HAL/PlatformTime.h"
#include "ILiveLinkClient.h"
#include "Misc/DateTime.h"
#include "Roles/LiveLinkBasicRole.h"
#include "Roles/LiveLinkBasicTypes.h"

#include "VisavisAxes.h"
#include "VisavisShapes.h"

namespace
{
	constexpr int64 SecondNs = 1000000000;
	constexpr int64 DayNs = 86400 * SecondNs;

	int64 TimeOfDayNs()
	{
		return FDateTime::Now().GetTimeOfDay().GetTicks() * 100;  // a tick is 100 ns
	}

	int64 Floored(int64 Value, int64 Modulus)
	{
		const int64 Rest = Value % Modulus;
		return Rest < 0 ? Rest + Modulus : Rest;
	}
}  // namespace

FFrameTime FVisavisSceneClock::ToFrames(int64 TimeNs, const FFrameRate& Of)
{
	const int64 RestNs = Floored(TimeNs, SecondNs);
	const int64 Seconds = (TimeNs - RestNs) / SecondNs;
	// frames * Denominator = Whole + Part, Whole an integer
	const int64 Whole = Seconds * Of.Numerator + RestNs * Of.Numerator / SecondNs;
	const double Part = static_cast<double>(RestNs * Of.Numerator % SecondNs) / static_cast<double>(SecondNs);
	const int64 Over = Floored(Whole, Of.Denominator);
	const double SubFrame = (static_cast<double>(Over) + Part) / static_cast<double>(Of.Denominator);
	constexpr float Largest = 0.99999994f;
	return FFrameTime(FFrameNumber(static_cast<int32>((Whole - Over) / Of.Denominator)),
					  FMath::Min(static_cast<float>(SubFrame), Largest));
}

FQualifiedFrameTime FVisavisSceneClock::At(int64 SessionNs, uint32 Epoch)
{
	if (From == EVisavisSceneTime::SessionClock)
	{
		return FQualifiedFrameTime(ToFrames(SessionNs, Rate), Rate);
	}
	// Once for each epoch: from then on the session clock, that is the voice's, alone.
	if (AnchoredEpoch != Epoch || Epoch == 0)
	{
		AnchoredEpoch = Epoch;
		AnchorNs = TimeOfDayNs() - SessionNs;
	}
	return FQualifiedFrameTime(ToFrames(Floored(AnchorNs + SessionNs, DayNs), Rate), Rate);
}

FVisavisSubject::FVisavisSubject(ILiveLinkClient& InClient, const FGuid& Source, FName Name,
								 const FVisavisConnection& Connection)
	: Client(InClient)
	, Key(Source, Name)
	, SceneClock(Connection.SceneRate, Connection.SceneTime)
	, AngleUnit(Connection.AngleUnit)
{
}

void FVisavisSubject::PushStatic()
{
	// Again would clear the subject's buffered frames.
	FLiveLinkStaticDataStruct StaticData(FLiveLinkBaseStaticData::StaticStruct());
	StaticData.Cast<FLiveLinkBaseStaticData>()->PropertyNames = VisavisShapes::CurveNames();
	Client.PushSubjectStaticData_AnyThread(Key, ULiveLinkBasicRole::StaticClass(), MoveTemp(StaticData));
	bStaticPushed = true;
}

void FVisavisSubject::Push(const FVisavisFace& Face)
{
	if (!bStaticPushed)
	{
		PushStatic();
	}
	FLiveLinkFrameDataStruct FrameData(FLiveLinkBaseFrameData::StaticStruct());
	FLiveLinkBaseFrameData& Frame = *FrameData.Cast<FLiveLinkBaseFrameData>();
	Frame.WorldTime = FLiveLinkWorldTime(FPlatformTime::Seconds());
	Frame.MetaData.SceneTime = SceneClock.At(Face.SessionNs, Face.Epoch);
	Frame.MetaData.StringMetaData.Add(FName(TEXT("VisavisState")), Face.bNeutral    ? TEXT("neutral")
																   : Face.bSpeaking ? TEXT("speaking")
																					: TEXT("listening"));
	Frame.MetaData.StringMetaData.Add(FName(TEXT("VisavisSessionTime")),
									  FString::Printf(TEXT("%.6f"), static_cast<double>(Face.SessionNs) * 1e-9));
	Frame.PropertyValues.Reserve(FVisavisFace::NumShapes + 3);
	Frame.PropertyValues.Append(Face.Shapes, FVisavisFace::NumShapes);
	Frame.PropertyValues.Add(VisavisAxes::ToCurve(Face.Yaw, AngleUnit));
	Frame.PropertyValues.Add(VisavisAxes::ToCurve(Face.Pitch, AngleUnit));
	Frame.PropertyValues.Add(VisavisAxes::ToCurve(Face.Roll, AngleUnit));
	Client.PushSubjectFrameData_AnyThread(Key, MoveTemp(FrameData));
}

void FVisavisSubject::Remove()
{
	if (bStaticPushed)
	{
		Client.RemoveSubject_AnyThread(Key);
		bStaticPushed = false;
	}
}
