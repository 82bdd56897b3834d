#include "VisavisAnimInstance.h"

#include "GameFramework/Actor.h"

#include "VisavisHeadComponent.h"

void UVisavisAnimInstance::NativeInitializeAnimation()
{
	Super::NativeInitializeAnimation();
	const AActor* const Owner = GetOwningActor();
	Head = Owner != nullptr ? Owner->FindComponentByClass<UVisavisHeadComponent>() : nullptr;
}

void UVisavisAnimInstance::NativeUpdateAnimation(float DeltaSeconds)
{
	Super::NativeUpdateAnimation(DeltaSeconds);
	if (const UVisavisHeadComponent* const Component = Head.Get())
	{
		HeadRotation = Component->GetHeadRotation();
		bSpeaking = Component->IsSpeaking();
	}
}
