#include "VisavisLiveLinkSourceFactory.h"

#include "VisavisLiveLinkSource.h"
#include "VisavisLog.h"
#include "VisavisSettings.h"

#define LOCTEXT_NAMESPACE "Visavis"

FText UVisavisLiveLinkSourceFactory::GetSourceDisplayName() const
{
	return LOCTEXT("SourceName", "Visavis");
}

FText UVisavisLiveLinkSourceFactory::GetSourceTooltip() const
{
	return LOCTEXT("SourceTooltip", "Faces that talk and listen, from a Visavis server (visavis serve)");
}

TSharedPtr<ILiveLinkSource> UVisavisLiveLinkSourceFactory::CreateSource(const FString& ConnectionString) const
{
	TArray<FString> Problems;
	const FVisavisConnection& Defaults = GetDefault<UVisavisSettings>()->Connection;
	const FVisavisConnection Connection = FVisavisConnection::FromString(ConnectionString, Defaults, Problems);
	for (const FString& Problem : Problems)
	{
		UE_LOG(LogVisavis, Error, TEXT("Live Link source: %s"), *Problem);
	}
	return MakeShared<FVisavisLiveLinkSource>(Connection);
}

#undef LOCTEXT_NAMESPACE
