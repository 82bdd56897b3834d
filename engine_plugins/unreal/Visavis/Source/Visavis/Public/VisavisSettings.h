// Project Settings > Plugins > Visavis: what is used where a component or a Live Link source says nothing else.
#pragma once

#include "CoreMinimal.h"
#include "Engine/DeveloperSettings.h"

#include "VisavisConnection.h"

#include "VisavisSettings.generated.h"

UCLASS(Config = Game, DefaultConfig, meta = (DisplayName = "Visavis"))
class VISAVIS_API UVisavisSettings : public UDeveloperSettings
{
	GENERATED_BODY()

public:
	/** New Live Link sources, and stream components without an endpoint of their own. */
	UPROPERTY(Config, EditAnywhere, Category = "Stream")
	FVisavisConnection Connection;

	/** Milliseconds from the engine's audio thread to the loudspeaker: faces wait as long for their voices. */
	UPROPERTY(Config, EditAnywhere, Category = "Voice", meta = (ClampMin = "0", ClampMax = "1000"))
	float OutputLatencyMs = 0.0f;

	/** The model of in-process characters (.gguf, a file outside the content folders); empty: the plugin's own. */
	UPROPERTY(Config, EditAnywhere, Category = "In Process")
	FString Model;

	/** The runtime library; empty: the plugin's own for this platform. */
	UPROPERTY(Config, EditAnywhere, Category = "In Process", AdvancedDisplay)
	FString RuntimeLibrary;

	virtual FName GetCategoryName() const override { return FName(TEXT("Plugins")); }
};
