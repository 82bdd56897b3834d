// "Visavis" in the Live Link window's list of sources; presets and Blueprint make sources from a connection string.
#pragma once

#include "CoreMinimal.h"
#include "LiveLinkSourceFactory.h"

#include "VisavisLiveLinkSourceFactory.generated.h"

UCLASS()
class VISAVIS_API UVisavisLiveLinkSourceFactory : public ULiveLinkSourceFactory
{
	GENERATED_BODY()

public:
	virtual FText GetSourceDisplayName() const override;
	virtual FText GetSourceTooltip() const override;
	/** A source of the project's settings at once; what it connects to is then changed in its own settings. */
	virtual EMenuType GetMenuType() const override { return EMenuType::MenuEntry; }
	/** See FVisavisConnection::ToString; empty: the project's settings. */
	virtual TSharedPtr<ILiveLinkSource> CreateSource(const FString& ConnectionString) const override;
};
