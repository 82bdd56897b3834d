// The module: its log category and its end.
#include "Modules/ModuleManager.h"

#include "VisavisClient.h"
#include "VisavisLog.h"
#include "VisavisStage.h"

DEFINE_LOG_CATEGORY(LogVisavis);

class FVisavisModule : public IModuleInterface
{
public:
	virtual void ShutdownModule() override
	{
		FVisavisClient::WaitUntilClosed();
		FVisavisStage::WaitUntilClosed();
	}
};

IMPLEMENT_MODULE(FVisavisModule, Visavis)
