// Scenes of the harness with components: heads of a server, heads in this process.
#include <cmath>
#include <fstream>

#include "Animation/MorphTarget.h"
#include "Components/AudioComponent.h"
#include "Components/SkeletalMeshComponent.h"
#include "Engine/SkeletalMesh.h"
#include "GameFramework/Actor.h"
#include "Interfaces/IPluginManager.h"
#include "VisavisAnimInstance.h"
#include "VisavisCharacterComponent.h"
#include "VisavisStreamComponent.h"
#include "play.h"

namespace {
/** An actor with a mesh whose morph targets come from several tools, and a component that turns. */
AActor* MakeActor(USkeletalMeshComponent*& Mesh, USceneComponent*& Turning) {
    AActor* const Actor = NewObject<AActor>(nullptr, FName(TEXT("Npc")));
    Mesh = NewObject<USkeletalMeshComponent>(Actor, FName(TEXT("Face")));
    Turning = NewObject<USceneComponent>(Actor, FName(TEXT("HeadPivot")));
    Mesh->StubAsset = NewObject<USkeletalMesh>(nullptr);
    for (const TCHAR* const Name :
         {TEXT("jawOpen"), TEXT("blendShape1_MouthSmileLeft"), TEXT("eyeBlink_L"), TEXT("unrelated")}) {
        Mesh->StubAsset->StubTargets.Add(NewObject<UMorphTarget>(Mesh->StubAsset, FName(Name)));
    }
    Mesh->RegisterComponent();
    Turning->RegisterComponent();
    return Actor;
}

/** What a component shows at each tick. */
struct FShown {
    std::vector<double> Session, Jaw, Weight, Yaw, Quaternion;
    std::vector<int> Speaking;
    void Add(const UVisavisHeadComponent& Component, const USkeletalMeshComponent& Mesh,
             const USceneComponent& Turning) {
        const float* const Found = Mesh.StubWeights.Find(FName(TEXT("jawOpen")));
        Session.push_back(Component.GetSessionTime());
        Jaw.push_back(static_cast<double>(Component.GetShape(FName(TEXT("JawOpen")))));
        Weight.push_back(Found == nullptr ? 0.0 : static_cast<double>(*Found));
        Yaw.push_back(Component.GetHeadRotation().Yaw);
        Quaternion.push_back(Turning.StubRotation.Z);
        Speaking.push_back(Component.IsSpeaking());
    }
    void Print(Json& Out) const {
        Out.Key("session").Numbers(Session).Key("jaw").Numbers(Jaw).Key("weight").Numbers(Weight).Key("yaw").Numbers(
            Yaw);
        Out.Key("quaternion_z").Numbers(Quaternion).Key("speaking").Numbers(Speaking);
    }
};

TArray<float> Tone(double Seconds, int32 Rate) {
    TArray<float> Samples;
    for (int32 Index = 0; Index < static_cast<int32>(Seconds * Rate); ++Index) {
        const double Time = static_cast<double>(Index) / Rate;
        Samples.Add(static_cast<float>(0.4 * std::sin(1400.0 * Time) * (0.5 + 0.5 * std::sin(25.0 * Time))));
    }
    return Samples;
}

int NumSpeakingChanges = 0;

void PlayHead(UVisavisHeadComponent& Component, USkeletalMeshComponent& Mesh, USceneComponent& Turning, double Seconds,
              const std::function<void(double)>& Also, const std::function<bool()>& Done, Json& Out) {
    FShown Shown;
    Component.OnSpeakingChanged.Listeners.push_back([](bool) { ++NumSpeakingChanges; });
    OnGameThread([&] { Component.BeginPlay(); });
    auto* const Anim = NewObject<UVisavisAnimInstance>(&Mesh);
    Anim->StubOwner = Component.GetOwner();
    Anim->NativeInitializeAnimation();
    Play(
        Seconds,
        [&](double Time) {
            Component.TickComponent(static_cast<float>(TickSeconds), LEVELTICK_All, nullptr);
            Anim->NativeUpdateAnimation(static_cast<float>(TickSeconds));
            Shown.Add(Component, Mesh, Turning);
            Also(Time);
        },
        Done);
    Out.Key("status").String(Text(Component.GetStatus())).Key("neutral").Number(Component.IsNeutral());
    Out.Key("anim_yaw").Number(Anim->HeadRotation.Yaw);
    OnGameThread([&] { Component.EndPlay(EEndPlayReason::Destroyed); });
    Shown.Print(Out);
    Out.Key("speaking_changes").Number(NumSpeakingChanges).Key("levels").Numbers(Stub::FAudioThread::TakeLevels());
    Out.Key("rest_weight").Number(static_cast<double>(Mesh.StubWeights.FindOrAdd(FName(TEXT("jawOpen")))));
}

}  // namespace

void RunStream(int Count, char** Words, Json& Out) {
    USkeletalMeshComponent* Mesh = nullptr;
    USceneComponent* Turning = nullptr;
    AActor* const Actor = MakeActor(Mesh, Turning);
    auto* const Component = NewObject<UVisavisStreamComponent>(Actor, FName(TEXT("Visavis")));
    Component->RegisterComponent();
    Component->Endpoint = Text(Words[0]);
    Component->HeadName = Text(Words[1]);
    Component->HeadComponent = FName(TEXT("HeadPivot"));
    Component->LiveLinkSubject = FName(TEXT("Npc"));
    Component->AngleUnit = EVisavisAngleUnit::Degrees;
    Component->Dials.Add(FName(TEXT("emotion.joy")), 0.5f);
    const double Seconds = std::stod(Words[2]);
    const std::string What = Count > 3 ? Words[3] : "";
    FTalk Talk;
    bool bDisconnected = false;
    std::vector<int> Answers;
    PlayHead(
        *Component, *Mesh, *Turning, Seconds,
        [&](double Time) {
            if (What == "talk" && !Component->IsNeutral() && Talk.SpokeAt < 0) {
                Talk.SpokeAt = Time;
                Answers = {Component->PushAgentAudio(Tone(8.0, 24000), 24000),
                           Component->PushUserAudio(Tone(0.02, 48000), 48000),
                           Component->SetDial(FName(TEXT("no.such.dial")), 1.0f), Component->PushUserFace({1.0f}),
                           Component->PushUserAudio(Tone(0.02, 48000), 7)};
            }
            if (What == "talk" && Talk.Interrupts(*Component, Time, 1.0)) Answers.push_back(Component->BargeIn());
            if (What == "disconnect" && !bDisconnected && Time > Seconds / 2 &&
                std::abs(Component->GetHeadRotation().Yaw) > 0.5) {
                bDisconnected = true;
                Out.Key("disconnected_at").Number(Time);
                Component->Disconnect();
            }
        },
        [&] {
            if (What == "talk") return Talk.bOver;
            return What != "disconnect" || (bDisconnected && Component->IsNeutral());
        },
        Out);
    Out.Key("answers").Numbers(Answers);
    PrintLiveLink(Out);
}

/** Mono float32 at 24 kHz. */
static TArray<float> ReadVoice(const char* Path) {
    std::ifstream File(Path, std::ios::binary);
    TArray<float> Samples;
    for (float Sample = 0.0f; File.read(reinterpret_cast<char*>(&Sample), sizeof(Sample));) Samples.Add(Sample);
    return Samples;
}

void RunCharacter(int Count, char** Words, Json& Out) {
    IPluginManager::Get().StubBaseDir = Text(Words[0]);
    const double Seconds = std::stod(Words[1]);
    const TArray<float> Voice = ReadVoice(Words[2]);
    const int NumOthers = Count > 3 ? std::stoi(Words[3]) - 1 : 0;
    USkeletalMeshComponent* Mesh = nullptr;
    USceneComponent* Turning = nullptr;
    AActor* const Actor = MakeActor(Mesh, Turning);
    auto* const Component = NewObject<UVisavisCharacterComponent>(Actor, FName(TEXT("Visavis")));
    Component->RegisterComponent();
    Component->HeadComponent = FName(TEXT("HeadPivot"));
    Component->LiveLinkSubject = FName(TEXT("Npc"));
    Component->Seed = 7;
    Component->Dials.Add(FName(TEXT("emotion.joy")), 0.5f);
    TArray<UVisavisCharacterComponent*> Others;
    for (int Index = 0; Index < NumOthers; ++Index) {
        Others.Add(NewObject<UVisavisCharacterComponent>(NewObject<AActor>(nullptr), FName(TEXT("Other"))));
        Others[Index]->bDriveMorphTargets = false;
        OnGameThread([&] { Others[Index]->BeginPlay(); });
    }
    FTalk Talk;
    double OpenedAt = -1.0;
    std::vector<int> OthersSpoke(static_cast<size_t>(NumOthers));
    std::vector<int> Answers;
    const auto Also = [&](double Time) {
        for (int Index = 0; Index < NumOthers; ++Index) {
            Others[Index]->TickComponent(static_cast<float>(TickSeconds), LEVELTICK_All, nullptr);
            OthersSpoke[static_cast<size_t>(Index)] |= Others[Index]->IsSpeaking();
        }
        if (OpenedAt < 0 && Component->GetStatus().EndsWith(TEXT("opened")) == false) OpenedAt = Time;
        if (!Component->IsNeutral() && Talk.SpokeAt < 0) {
            Talk.SpokeAt = Time;
            Answers = {Component->PushAgentAudio(Voice, 24000), Component->PushUserAudio(Tone(0.1, 48000), 48000),
                       Component->SetDial(FName(TEXT("no.such.dial")), 1.0f), Component->PushAgentAudio({}, 24000)};
            for (UVisavisCharacterComponent* const Other : Others) Other->PushAgentAudio(Voice, 24000);
        }
        if (Talk.Interrupts(*Component, Time, 2.5)) {
            Answers.push_back(Component->BargeIn());
            for (UVisavisCharacterComponent* const Other : Others) Other->Restart();
        }
    };
    PlayHead(*Component, *Mesh, *Turning, Seconds, Also, [&] { return NumOthers == 0 || Talk.bOver; }, Out);
    for (UVisavisCharacterComponent* const Other : Others) {
        OnGameThread([&] { Other->EndPlay(EEndPlayReason::Destroyed); });
    }
    Out.Key("others_spoke").Numbers(OthersSpoke);
    Out.Key("answers").Numbers(Answers).Key("opened_at").Number(OpenedAt);
    PrintLiveLink(Out);
}
