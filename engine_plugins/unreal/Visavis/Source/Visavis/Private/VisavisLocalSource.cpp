#include "VisavisLocalSource.h"

#include "ILiveLinkClient.h"
#include "ILiveLinkSource.h"

#include "VisavisLibrary.h"

#define LOCTEXT_NAMESPACE "Visavis"

namespace
{
	/** Owns nothing: whoever has a subject pushes it. */
	class FLocalSource : public ILiveLinkSource
	{
	public:
		virtual void ReceiveClient(ILiveLinkClient*, FGuid InGuid) override
		{
			Guid = InGuid;
			bValid = true;
		}
		virtual bool IsSourceStillValid() const override { return bValid; }
		virtual bool RequestSourceShutdown() override
		{
			bValid = false;
			return true;
		}
		virtual FText GetSourceType() const override { return LOCTEXT("LocalType", "Visavis, in this game"); }
		virtual FText GetSourceMachineName() const override { return LOCTEXT("LocalMachine", "this process"); }
		virtual FText GetSourceStatus() const override { return LOCTEXT("LocalStatus", "heads of components"); }

		FGuid Guid;
		bool bValid = false;
	};

	TWeakPtr<FLocalSource> Current;
}  // namespace

TUniquePtr<FVisavisSubject> VisavisLocalSource::MakeSubject(FName Name, const FVisavisConnection& Layout)
{
	ILiveLinkClient* const Client = UVisavisLibrary::FindLiveLink();
	if (Client == nullptr)
	{
		return nullptr;
	}
	TSharedPtr<FLocalSource> Source = Current.Pin();
	if (!Source.IsValid() || !Source->bValid)
	{
		Source = MakeShared<FLocalSource>();
		Client->AddSource(Source);
		Current = Source;
	}
	return MakeUnique<FVisavisSubject>(*Client, Source->Guid, Name, Layout);
}

#undef LOCTEXT_NAMESPACE
