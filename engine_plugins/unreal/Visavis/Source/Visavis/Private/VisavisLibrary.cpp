#include "VisavisLibrary.h"

#include "Features/IModularFeatures.h"
#include "ILiveLinkClient.h"

#include "VisavisLiveLinkSource.h"
#include "VisavisLog.h"

ILiveLinkClient* UVisavisLibrary::FindLiveLink()
{
	IModularFeatures& Features = IModularFeatures::Get();
	if (!Features.IsModularFeatureAvailable(ILiveLinkClient::ModularFeatureName))
	{
		UE_LOG(LogVisavis, Error, TEXT("there is no Live Link client: enable the plugin Live Link"));
		return nullptr;
	}
	return &Features.GetModularFeature<ILiveLinkClient>(ILiveLinkClient::ModularFeatureName);
}

bool UVisavisLibrary::ConnectLiveLink(const FVisavisConnection& Connection, FGuid& Source)
{
	ILiveLinkClient* const Client = FindLiveLink();
	if (Client == nullptr)
	{
		return false;
	}
	Source = Client->AddSource(MakeShared<FVisavisLiveLinkSource>(Connection));
	return true;
}

void UVisavisLibrary::DisconnectLiveLink(const FGuid& Source)
{
	if (ILiveLinkClient* const Client = FindLiveLink())
	{
		Client->RemoveSource(Source);
	}
}
