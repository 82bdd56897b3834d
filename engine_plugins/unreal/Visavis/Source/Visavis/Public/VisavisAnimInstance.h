// A parent for animation Blueprints: the owner's head as variables, for a Transform (Modify) Bone node.
#pragma once

#include "Animation/AnimInstance.h"
#include "CoreMinimal.h"

#include "VisavisAnimInstance.generated.h"

class UVisavisHeadComponent;

UCLASS()
class VISAVIS_API UVisavisAnimInstance : public UAnimInstance
{
	GENERATED_BODY()

public:
	/** Of the head against its rest, in the character's axes (X forward, Z up). */
	UPROPERTY(BlueprintReadOnly, Category = "Visavis")
	FRotator HeadRotation = FRotator::ZeroRotator;

	UPROPERTY(BlueprintReadOnly, Category = "Visavis")
	bool bSpeaking = false;

	virtual void NativeInitializeAnimation() override;
	virtual void NativeUpdateAnimation(float DeltaSeconds) override;

private:
	TWeakObjectPtr<UVisavisHeadComponent> Head;
};
