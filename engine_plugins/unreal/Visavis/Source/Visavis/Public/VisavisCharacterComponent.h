// A character whose head runs in this process: no server, no socket.  What a shipped game uses.
#pragma once

#include "CoreMinimal.h"

#include "VisavisHeadComponent.h"

#include "VisavisCharacterComponent.generated.h"

UCLASS(ClassGroup = (Visavis), meta = (BlueprintSpawnableComponent, DisplayName = "Visavis Character"))
class VISAVIS_API UVisavisCharacterComponent : public UVisavisHeadComponent
{
	GENERATED_BODY()

public:
	/** The same seed and the same voices give the same motion. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	int64 Seed = 0;

	/** The character's voice is not known before it sounds (an actor): voice and face go out 280 ms later. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis|Voice")
	bool bLiveActor = false;

	/** A conversation begins anew: the character forgets what was said. */
	UFUNCTION(BlueprintCallable, Category = "Visavis")
	void Restart();

protected:
	virtual TSharedPtr<IVisavisHead> OpenHead(FString& Problem) override;
};
