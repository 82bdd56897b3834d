#include "VisavisCharacterComponent.h"

#include "VisavisSettings.h"
#include "VisavisStage.h"

void UVisavisCharacterComponent::Restart()
{
	Reopen();
}

TSharedPtr<IVisavisHead> UVisavisCharacterComponent::OpenHead(FString& Problem)
{
	const UVisavisSettings& Settings = *GetDefault<UVisavisSettings>();
	FVisavisStageFiles Files;
	Files.Library = Settings.RuntimeLibrary.IsEmpty() ? FVisavisRuntime::LibraryPath() : Settings.RuntimeLibrary;
	Files.Model = Settings.Model.IsEmpty() ? FVisavisRuntime::ModelPath() : Settings.Model;
	Files.OutputNs = static_cast<int64>(Settings.OutputLatencyMs * 1e6);
	const TSharedPtr<FVisavisStage> Stage = FVisavisStage::Share(Files, Problem);
	return Stage.IsValid() ? TSharedPtr<IVisavisHead>(FVisavisStageHead::Open(Stage, bLiveActor, Seed, Problem))
						   : nullptr;
}
