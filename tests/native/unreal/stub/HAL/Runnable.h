// Stand-in for tests, see README.md.
#pragma once

#include "Stub/Types.h"

class FRunnable {
  public:
    virtual bool Init() { return true; }
    virtual uint32 Run() = 0;
    virtual void Stop() {}
    virtual void Exit() {}
    virtual ~FRunnable() = default;
};
