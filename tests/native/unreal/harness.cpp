// Plays engine for the Unreal plugin's module, with the stand-ins of tests/native/unreal/stub: ticks at 60 Hz, hears
// the sounds, records Live Link.  Prints one JSON object.
#include <chrono>
#include <cstdio>

#include "Modules/ModuleManager.h"
#include "VisavisAxes.h"
#include "VisavisLiveLinkSettings.h"
#include "VisavisLiveLinkSourceFactory.h"
#include "VisavisShapes.h"
#include "VisavisSubject.h"
#include "play.h"

namespace {
void Finish(Json& Out) {
    OnGameThread([] { Stub::Module().ShutdownModule(); });
    Out.Key("log").Strings(Stub::TakeLog()).Key("longest_wait_ms").Number(LongestWaitMs);
}

// livelink CONNECTION SECONDS [CONNECTION]: a source by its factory; half-way its settings change.
void RunLiveLink(int Count, char** Words, Json& Out) {
    const double Seconds = std::stod(Words[1]);
    FGuid Guid;
    OnGameThread([&] {
        const auto* const Factory = NewObject<UVisavisLiveLinkSourceFactory>(nullptr);
        Out.Key("display").String(Text(Factory->GetSourceDisplayName().ToString()));
        Guid = LiveLink->AddSource(Factory->CreateSource(Text(Words[0])));
    });
    auto* const Settings = Cast<UVisavisLiveLinkSettings>(LiveLink->Settings(0));
    Out.Key("connection").String(Text(Settings->ConnectionString));
    bool bChanged = Count < 3;
    std::string Status;
    Play(Seconds, [&](double Time) {
        ILiveLinkSource* const Source = LiveLink->Source(0);
        Status = Text(Source->GetSourceStatus().ToString());
        if (!bChanged && Time >= Seconds / 2) {
            TArray<FString> Problems;
            Settings->Connection = FVisavisConnection::FromString(Text(Words[2]), Settings->Connection, Problems);
            Source->OnSettingsChanged(Settings, FPropertyChangedEvent());
            bChanged = true;
        }
    });
    Out.Key("valid").Number(LiveLink->Source(0)->IsSourceStillValid()).Key("status").String(Status);
    Out.Key("machine").String(Text(LiveLink->Source(0)->GetSourceMachineName().ToString()));
    OnGameThread([&] { LiveLink->RemoveSource(Guid); });
    int NumAsked = 0;
    for (; LiveLink->NumSources() > 0 && NumAsked < 500; ++NumAsked) {
        OnGameThread([] { LiveLink->Tick(); });
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    Out.Key("asked").Number(NumAsked);
    Play(0.2, [](double) {});  // nothing may be pushed any more
    PrintLiveLink(Out);
}

// axes: what the tests compute again by matrices and exact fractions
void RunAxes(int, char**, Json& Out) {
    Out.Key("rotations").Open('[');
    for (int Index = 0; Index < 27; ++Index) {
        FVisavisFace Face, Back;
        Face.Yaw = 0.4f * static_cast<float>(Index % 3 - 1);
        Face.Pitch = 0.3f * static_cast<float>(Index / 3 % 3 - 1);
        Face.Roll = 0.2f * static_cast<float>(Index / 9 - 1);
        const FRotator Rotator = VisavisAxes::ToRotator(Face);
        VisavisAxes::FromRotator(Rotator, Back);
        Out.Numbers(std::vector<double>{Face.Yaw, Face.Pitch, Face.Roll, Rotator.Pitch, Rotator.Yaw, Rotator.Roll,
                                        Back.Yaw, Back.Pitch, Back.Roll});
    }
    Out.Close(']').Key("units").Numbers(std::vector<float>{VisavisAxes::ToCurve(1.0f, EVisavisAngleUnit::Radians),
                                                           VisavisAxes::ToCurve(1.0f, EVisavisAngleUnit::Degrees),
                                                           VisavisAxes::ToCurve(1.0f, EVisavisAngleUnit::HalfTurns)});
    Out.Key("scenes").Open('[');
    for (const FFrameRate& Rate :
         {FFrameRate(24, 1), FFrameRate(30000, 1001), FFrameRate(60000, 1001), FFrameRate(60, 1)}) {
        for (const int64 TimeNs :
             {0LL, 1LL, 40000000LL, 33366666LL, 33366667LL, 3600000000123LL, 86399999999999LL, -1LL, -40000000LL}) {
            const FFrameTime Time = FVisavisSceneClock::ToFrames(TimeNs, Rate);
            Out.Numbers(std::vector<double>{static_cast<double>(Rate.Numerator), static_cast<double>(Rate.Denominator),
                                            static_cast<double>(TimeNs), static_cast<double>(Time.FrameNumber.Value),
                                            static_cast<double>(Time.GetSubFrame())});
        }
    }
    Out.Close(']').Key("shapes").Open('{');
    for (const char* const Name : {"jawOpen", "JawOpen", "eyeBlink_L", "blendShape1.jawOpen", "head_mouthSmile_R",
                                   "Mesh:tongueOut", "xjawOpen", "jawOpener", "jaw_open", "EyeBlinkR", "eye_blink_left",
                                   "Face|browDown_R", "mouthFunnel", "Smoker", "", "_L"}) {
        const int32 Shape = VisavisShapes::Find(Text(Name));
        Out.Key(Name).String(Shape == INDEX_NONE ? "" : Text(VisavisShapes::Name(Shape).ToString()));
    }
    Out.Close('}');
}

// strings TEXT...: connection strings
void RunStrings(int Count, char** Words, Json& Out) {
    Out.Key("strings").Open('[');
    for (int Index = 0; Index < Count; ++Index) {
        TArray<FString> Problems;
        const FVisavisConnection Read =
            FVisavisConnection::FromString(Text(Words[Index]), FVisavisConnection(), Problems);
        TArray<FString> None;
        const FVisavisConnection Again = FVisavisConnection::FromString(Read.ToString(), FVisavisConnection(), None);
        Out.Open('{')
            .Key("read")
            .String(Text(Read.ToString()))
            .Key("again")
            .String(Text(Again.ToString()))
            .Key("problems")
            .Open('[');
        for (const FString& Problem : Problems) Out.String(Text(Problem));
        Out.Close(']').Close('}');
    }
    Out.Close(']');
}
}  // namespace

int main(int Count, char** Words) {
    const std::string Verb = Count > 1 ? Words[1] : "";
    Stub::FLiveLink Client;
    LiveLink = &Client;
    IModularFeatures::Get().Feature = std::getenv("VISAVIS_NO_LIVE_LINK") == nullptr ? &Client : nullptr;
    Json Out;
    Out.Open('{');
    {
        Stub::FAudioThread Audio;
        OnGameThread([] { Stub::Module().StartupModule(); });
        if (Verb == "livelink" && Count > 3) RunLiveLink(Count - 2, Words + 2, Out);
        if (Verb == "stream" && Count > 4) RunStream(Count - 2, Words + 2, Out);
        if (Verb == "character" && Count > 4) RunCharacter(Count - 2, Words + 2, Out);
        if (Verb == "axes") RunAxes(0, nullptr, Out);
        if (Verb == "strings") RunStrings(Count - 2, Words + 2, Out);
    }
    Stub::CollectGarbage();
    Finish(Out);
    std::printf("%s\n", Out.Close('}').Text().c_str());
    return 0;
}
