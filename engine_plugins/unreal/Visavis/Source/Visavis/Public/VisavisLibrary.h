// Blueprint functions that belong to no component: Live Link sources of servers.
#pragma once

#include "CoreMinimal.h"
#include "Kismet/BlueprintFunctionLibrary.h"

#include "VisavisConnection.h"

#include "VisavisLibrary.generated.h"

UCLASS()
class VISAVIS_API UVisavisLibrary : public UBlueprintFunctionLibrary
{
	GENERATED_BODY()

public:
	/** Adds a Live Link source, as the Live Link window would.  False: there is no Live Link (its plugin is off). */
	UFUNCTION(BlueprintCallable, Category = "Visavis|Live Link")
	static bool ConnectLiveLink(const FVisavisConnection& Connection, FGuid& Source);

	/** Removes a source; its subjects go with it. */
	UFUNCTION(BlueprintCallable, Category = "Visavis|Live Link")
	static void DisconnectLiveLink(const FGuid& Source);

	/** Null, and the log says why, where the plugin Live Link is off. */
	static class ILiveLinkClient* FindLiveLink();
};
