// Stand-in for tests, see README.md.
#pragma once

#include "Features/IModularFeatures.h"
#include "LiveLinkRole.h"
#include "LiveLinkTypes.h"

class ILiveLinkSource;

class ILiveLinkClient : public IModularFeature {
  public:
    static const FName ModularFeatureName;
    virtual ~ILiveLinkClient() = default;
    virtual FGuid AddSource(TSharedPtr<ILiveLinkSource> Source) = 0;
    virtual void RemoveSource(FGuid Source) = 0;
    virtual void PushSubjectStaticData_AnyThread(const FLiveLinkSubjectKey& Key, TSubclassOf<ULiveLinkRole> Role,
                                                 FLiveLinkStaticDataStruct&& StaticData) = 0;
    virtual void PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& Key,
                                                FLiveLinkFrameDataStruct&& FrameData) = 0;
    virtual void RemoveSubject_AnyThread(const FLiveLinkSubjectKey& Key) = 0;
};
