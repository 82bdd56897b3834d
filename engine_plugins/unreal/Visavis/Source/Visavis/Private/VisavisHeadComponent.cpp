#include "VisavisHeadComponent.h"

#include "Components/AudioComponent.h"
#include "GameFramework/Actor.h"

#include "VisavisAxes.h"
#include "VisavisFaceWriter.h"
#include "VisavisHead.h"
#include "VisavisLog.h"
#include "VisavisShapes.h"
#include "VisavisVoice.h"

UVisavisHeadComponent::UVisavisHeadComponent()
{
	PrimaryComponentTick.bCanEverTick = true;
}

void UVisavisHeadComponent::BeginPlay()
{
	Super::BeginPlay();
	RefreshMeshes();
	Reopen();
}

void UVisavisHeadComponent::EndPlay(const EEndPlayReason::Type Reason)
{
	CloseHead();
	Face = FVisavisFace();
	if (Writer.IsValid())
	{
		Writer->Write(Face);
		Writer->RemoveSubject();
	}
	Writer.Reset();
	Super::EndPlay(Reason);
}

void UVisavisHeadComponent::RefreshMeshes()
{
	if (!Writer.IsValid())
	{
		Writer = MakeShared<FVisavisFaceWriter>(LiveLinkSubject, AngleUnit);
	}
	if (AActor* const Owner = GetOwner())
	{
		Writer->FindMeshes(*Owner, bDriveMorphTargets, MeshTag, HeadComponent);
	}
}

void UVisavisHeadComponent::Reopen()
{
	CloseHead();
	bWanted = true;
	TryOpen();
}

void UVisavisHeadComponent::TryOpen()
{
	Head = OpenHead(OpenProblem);
	if (!OpenProblem.IsEmpty())
	{
		bWanted = false;
		UE_LOG(LogVisavis, Error, TEXT("%s: %s"), *GetPathName(), *OpenProblem);
	}
	if (!Head.IsValid())
	{
		return;
	}
	bWanted = false;
	for (const TPair<FName, float>& Dial : Dials)
	{
		SetDial(Dial.Key, Dial.Value);
	}
	if (bPlayVoice)
	{
		StartVoice();
	}
}

void UVisavisHeadComponent::CloseHead()
{
	bWanted = false;
	OpenProblem.Empty();
	if (VoicePlayer != nullptr)
	{
		VoicePlayer->Stop();
		VoicePlayer->DestroyComponent();
		VoicePlayer = nullptr;
	}
	if (Head.IsValid())
	{
		Head->Close();
		Head.Reset();
	}
}

void UVisavisHeadComponent::StartVoice()
{
	AActor* const Owner = GetOwner();
	if (Owner == nullptr)
	{
		return;
	}
	// A sound of its own for each head: the audio thread may still hold the one before.
	UVisavisVoice* const Voice = NewObject<UVisavisVoice>(this);
	Voice->SetHead(Head);
	VoicePlayer = NewObject<UAudioComponent>(Owner);
	VoicePlayer->bAutoDestroy = false;
	VoicePlayer->AttenuationSettings = VoiceAttenuation;
	VoicePlayer->bAllowSpatialization = VoiceAttenuation != nullptr;
	if (USceneComponent* const Root = Owner->GetRootComponent())
	{
		VoicePlayer->SetupAttachment(Root);
	}
	VoicePlayer->RegisterComponent();
	VoicePlayer->SetSound(Voice);
	VoicePlayer->Play();
}

void UVisavisHeadComponent::TickComponent(float DeltaTime, ELevelTick TickType,
										  FActorComponentTickFunction* ThisTickFunction)
{
	Super::TickComponent(DeltaTime, TickType, ThisTickFunction);
	const bool bBefore = Face.bSpeaking;
	if (bWanted)
	{
		TryOpen();
	}
	if (Head.IsValid())
	{
		Head->Sample(Face);
		Head->WriteLog();
	}
	else
	{
		EaseToNeutral(DeltaTime);
	}
	Writer->Write(Face);
	TellSpeaking(bBefore);
}

void UVisavisHeadComponent::EaseToNeutral(float DeltaTime)
{
	// Half a second from any face to nearly none.
	const float Kept = FMath::Exp(-10.0f * FMath::Max(DeltaTime, 0.0f));
	float Largest = 0.0f;
	for (float& Weight : Face.Shapes)
	{
		Weight *= Kept;
		Largest = FMath::Max(Largest, Weight);
	}
	for (float* const Angle : {&Face.Yaw, &Face.Pitch, &Face.Roll})
	{
		*Angle *= Kept;
		Largest = FMath::Max(Largest, FMath::Abs(*Angle));
	}
	Face.bSpeaking = false;
	if (Largest < 0.002f)
	{
		Face = FVisavisFace();
	}
}

void UVisavisHeadComponent::TellSpeaking(bool bBefore)
{
	if (Face.bSpeaking != bBefore)
	{
		OnSpeakingChanged.Broadcast(Face.bSpeaking);
	}
}

bool UVisavisHeadComponent::Report(const TCHAR* What, const FString& Problem) const
{
	if (Problem.IsEmpty())
	{
		return true;
	}
	UE_LOG(LogVisavis, Warning, TEXT("%s: %s: %s"), *GetPathName(), What, *Problem);
	return false;
}

bool UVisavisHeadComponent::PushUserAudio(const TArray<float>& Samples, int32 SampleRate)
{
	return Head.IsValid() &&
		   Report(TEXT("user audio"), Head->PushUserAudio(Samples.GetData(), Samples.Num(), SampleRate));
}

bool UVisavisHeadComponent::PushAgentAudio(const TArray<float>& Samples, int32 SampleRate)
{
	return Head.IsValid() &&
		   Report(TEXT("agent audio"), Head->PushAgentAudio(Samples.GetData(), Samples.Num(), SampleRate));
}

bool UVisavisHeadComponent::PushUserFace(const TArray<float>& Values)
{
	if (Values.Num() != FVisavisFace::NumShapes + 3)
	{
		return Report(TEXT("user face"),
					  FString::Printf(TEXT("%d values; expected 52 weights, yaw, pitch, roll"), Values.Num()));
	}
	return Head.IsValid() && Report(TEXT("user face"), Head->PushUserFace(Values.GetData()));
}

bool UVisavisHeadComponent::BargeIn()
{
	return Head.IsValid() && Report(TEXT("barge-in"), Head->BargeIn());
}

bool UVisavisHeadComponent::SetDial(FName Dial, float Value)
{
	return Head.IsValid() && Report(TEXT("dial"), Head->SetDial(Dial.ToString(), static_cast<double>(Value)));
}

float UVisavisHeadComponent::GetShape(FName Shape) const
{
	const int32 Index = VisavisShapes::CurveNames().Find(Shape);
	return Index != INDEX_NONE && Index < FVisavisFace::NumShapes ? Face.Shapes[Index] : 0.0f;
}

FRotator UVisavisHeadComponent::GetHeadRotation() const
{
	return VisavisAxes::ToRotator(Face);
}

FString UVisavisHeadComponent::GetStatus() const
{
	if (Head.IsValid())
	{
		return Head->Status();
	}
	return !OpenProblem.IsEmpty() ? OpenProblem : bWanted ? TEXT("the head is being opened") : TEXT("no head is open");
}
