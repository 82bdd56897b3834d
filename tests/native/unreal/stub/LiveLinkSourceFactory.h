// Stand-in for tests, see README.md.
#pragma once

#include "ILiveLinkSource.h"

class ULiveLinkSourceFactory : public UObject {
  public:
    enum class EMenuType { Disabled, SubPanel, MenuEntry };
    virtual FText GetSourceDisplayName() const = 0;
    virtual FText GetSourceTooltip() const = 0;
    virtual EMenuType GetMenuType() const { return EMenuType::Disabled; }
    virtual TSharedPtr<ILiveLinkSource> CreateSource(const FString& ConnectionString) const = 0;
};
