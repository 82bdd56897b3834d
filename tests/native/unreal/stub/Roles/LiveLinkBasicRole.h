// Stand-in for tests, see README.md.
#pragma once

#include "LiveLinkRole.h"

class ULiveLinkBasicRole : public ULiveLinkRole {
  public:
    static UClass* StaticClass() {
        static UClass Class{"LiveLinkBasicRole"};
        return &Class;
    }
};
