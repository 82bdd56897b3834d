// Stand-in for tests, see README.md.
#pragma once

#include "LiveLinkSourceSettings.h"

class ILiveLinkClient;
struct FPropertyChangedEvent {};

class ILiveLinkSource {
  public:
    virtual ~ILiveLinkSource() = default;
    virtual bool CanBeDisplayedInUI() const { return true; }
    virtual void ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid) = 0;
    virtual void InitializeSettings(ULiveLinkSourceSettings*) {}
    virtual void Update() {}
    virtual bool IsSourceStillValid() const = 0;
    virtual bool RequestSourceShutdown() = 0;
    virtual FText GetSourceType() const = 0;
    virtual FText GetSourceMachineName() const = 0;
    virtual FText GetSourceStatus() const = 0;
#if VISAVIS_STUB_UE_MINOR >= 5
    virtual FText GetSourceToolTip() const { return FText(); }
#endif
    virtual TSubclassOf<ULiveLinkSourceSettings> GetSettingsClass() const {
        return ULiveLinkSourceSettings::StaticClass();
    }
    virtual void OnSettingsChanged(ULiveLinkSourceSettings*, const FPropertyChangedEvent&) {}
};
