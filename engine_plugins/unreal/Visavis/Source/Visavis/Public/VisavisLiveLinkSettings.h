// What the Live Link window shows for a Visavis source; a change takes effect at once.
#pragma once

#include "CoreMinimal.h"
#include "LiveLinkSourceSettings.h"

#include "VisavisConnection.h"

#include "VisavisLiveLinkSettings.generated.h"

UCLASS()
class VISAVIS_API UVisavisLiveLinkSettings : public ULiveLinkSourceSettings
{
	GENERATED_BODY()

public:
	UPROPERTY(EditAnywhere, Category = "Visavis", meta = (ShowOnlyInnerProperties))
	FVisavisConnection Connection;
};
