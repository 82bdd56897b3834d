#include "VisavisStreamComponent.h"

#include "VisavisSettings.h"
#include "VisavisStreamHead.h"

void UVisavisStreamComponent::Connect(const FString& InEndpoint, const FString& InHeadName)
{
	Endpoint = InEndpoint;
	HeadName = InHeadName;
	Reopen();
}

void UVisavisStreamComponent::Disconnect()
{
	CloseHead();
}

TSharedPtr<IVisavisHead> UVisavisStreamComponent::OpenHead(FString& Problem)
{
	FVisavisConnection Connection = GetDefault<UVisavisSettings>()->Connection;
	Connection.Endpoint = Endpoint.IsEmpty() ? Connection.Endpoint : Endpoint;
	return FVisavisStreamHead::Open(Connection, HeadName, Problem);
}
