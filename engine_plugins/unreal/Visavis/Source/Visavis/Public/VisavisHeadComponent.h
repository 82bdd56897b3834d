// What the in-process and the stream component have in common: a head's face on the owner's meshes, its voice in time
// with it, a Live Link subject for MetaHumans and animation Blueprints, and the functions that Blueprint calls.
#pragma once

#include "Components/ActorComponent.h"
#include "CoreMinimal.h"

#include "VisavisConnection.h"
#include "VisavisFace.h"

#include "VisavisHeadComponent.generated.h"

class FVisavisFaceWriter;
class IVisavisHead;
class UAudioComponent;
class USoundAttenuation;

DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FVisavisSpeakingChanged, bool, bSpeaking);

UCLASS(Abstract, ClassGroup = (Visavis))
class VISAVIS_API UVisavisHeadComponent : public UActorComponent
{
	GENERATED_BODY()

public:
	UVisavisHeadComponent();

	/** Write the morph targets of the owner's skeletal meshes that are named like ARKit's shapes. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Face")
	bool bDriveMorphTargets = true;

	/** Only meshes with this component tag; None: all of the owner's. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Face")
	FName MeshTag;

	/** A scene component of the owner that turns with the head (X out of the face, Z up); None: no component.  Bones
	 *  turn in an animation Blueprint, by GetHeadRotation or UVisavisAnimInstance. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Face")
	FName HeadComponent;

	/** The face also goes out as a Live Link subject of this name, for MetaHumans and Live Link Pose nodes; None: not. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Face")
	FName LiveLinkSubject;

	/** Unit of the subject's HeadYaw, HeadPitch and HeadRoll. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Face")
	EVisavisAngleUnit AngleUnit = EVisavisAngleUnit::Radians;

	/** Play the head's voice at the owner, in time with the face. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Voice")
	bool bPlayVoice = true;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Voice")
	TObjectPtr<USoundAttenuation> VoiceAttenuation;

	/** Dials that are set when the head opens, such as emotion.joy (docs/rig.md has all of them). */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	TMap<FName, float> Dials;

	UPROPERTY(BlueprintAssignable, Category = "Visavis")
	FVisavisSpeakingChanged OnSpeakingChanged;

	/** The player's voice: mono, full scale -1 to 1, any chunks.  False: refused, the log says why; so for all below. */
	UFUNCTION(BlueprintCallable, Category = "Visavis|Audio")
	bool PushUserAudio(const TArray<float>& Samples, int32 SampleRate);

	/** The character's own voice, live or as much of it as is there (synthetic speech): it is played and animated. */
	UFUNCTION(BlueprintCallable, Category = "Visavis|Audio")
	bool PushAgentAudio(const TArray<float>& Samples, int32 SampleRate);

	/** The player's tracked face: 52 weights in ARKit's order, then yaw, pitch, roll in radians about ARKit's axes. */
	UFUNCTION(BlueprintCallable, Category = "Visavis|Face")
	bool PushUserFace(const TArray<float>& Values);

	/** The player interrupts: voice and face from now on are withdrawn, the face eases to listening. */
	UFUNCTION(BlueprintCallable, Category = "Visavis")
	bool BargeIn();

	UFUNCTION(BlueprintCallable, Category = "Visavis")
	bool SetDial(FName Dial, float Value);

	UFUNCTION(BlueprintPure, Category = "Visavis")
	bool IsSpeaking() const { return Face.bSpeaking; }

	/** No face has come yet, or none comes any more. */
	UFUNCTION(BlueprintPure, Category = "Visavis")
	bool IsNeutral() const { return Face.bNeutral; }

	/** A weight by ARKit's name, such as JawOpen; 0 for others. */
	UFUNCTION(BlueprintPure, Category = "Visavis|Face")
	float GetShape(FName Shape) const;

	/** Of the head against its rest, in Unreal's axes. */
	UFUNCTION(BlueprintPure, Category = "Visavis|Face")
	FRotator GetHeadRotation() const;

	/** Session time that is shown, in seconds. */
	UFUNCTION(BlueprintPure, Category = "Visavis")
	double GetSessionTime() const { return static_cast<double>(Face.SessionNs) * 1e-9; }

	/** One or two sentences: why nothing moves and what to do about it, or that all is well. */
	UFUNCTION(BlueprintPure, Category = "Visavis")
	FString GetStatus() const;

	/** Look for meshes and morph targets again, after they changed. */
	UFUNCTION(BlueprintCallable, Category = "Visavis|Face")
	void RefreshMeshes();

	const FVisavisFace& GetFace() const { return Face; }

	virtual void BeginPlay() override;
	virtual void EndPlay(const EEndPlayReason::Type Reason) override;
	virtual void TickComponent(float DeltaTime, ELevelTick TickType,
							   FActorComponentTickFunction* ThisTickFunction) override;

protected:
	/** The head, or null: with a Problem it will not come, without one it is still on its way and is asked for again. */
	virtual TSharedPtr<IVisavisHead> OpenHead(FString&) PURE_VIRTUAL(UVisavisHeadComponent::OpenHead, return nullptr;);
	/** Lets go of the head and asks for it anew. */
	void Reopen();
	/** Lets go of the head; the face eases to neutral. */
	void CloseHead();

private:
	void TryOpen();
	void StartVoice();
	void EaseToNeutral(float DeltaTime);
	bool Report(const TCHAR* What, const FString& Problem) const;
	void TellSpeaking(bool bBefore);

	FVisavisFace Face;
	TSharedPtr<IVisavisHead> Head;
	TSharedPtr<FVisavisFaceWriter> Writer;
	/** Why there is no head and none will come; empty: there is one, or it is on its way. */
	FString OpenProblem;
	bool bWanted = false;

	UPROPERTY(Transient)
	TObjectPtr<UAudioComponent> VoicePlayer;
};
