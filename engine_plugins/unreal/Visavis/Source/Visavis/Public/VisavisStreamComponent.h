// A character whose head runs on a Visavis server (visavis serve).
#pragma once

#include "CoreMinimal.h"

#include "VisavisHeadComponent.h"

#include "VisavisStreamComponent.generated.h"

UCLASS(ClassGroup = (Visavis), meta = (BlueprintSpawnableComponent, DisplayName = "Visavis Stream"))
class VISAVIS_API UVisavisStreamComponent : public UVisavisHeadComponent
{
	GENERATED_BODY()

public:
	/** tcp://HOST:PORT of the server's motion port; empty: the project's settings, which also hold keys. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	FString Endpoint;

	/** The head's name on the server. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Visavis")
	FString HeadName = TEXT("npc");

	/** Follow another head, perhaps of another server; the face goes on from where it is. */
	UFUNCTION(BlueprintCallable, Category = "Visavis")
	void Connect(const FString& InEndpoint, const FString& InHeadName);

	/** Follow none; the face eases to neutral. */
	UFUNCTION(BlueprintCallable, Category = "Visavis")
	void Disconnect();

protected:
	virtual TSharedPtr<IVisavisHead> OpenHead(FString& Problem) override;
};
