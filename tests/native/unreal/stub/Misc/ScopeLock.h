// Stand-in for tests, see README.md.
#pragma once

#include "HAL/CriticalSection.h"

class FScopeLock {
  public:
    explicit FScopeLock(FCriticalSection* InLock) : Held(InLock) { Held->Lock(); }
    ~FScopeLock() { Held->Unlock(); }
    FScopeLock(const FScopeLock&) = delete;

  private:
    FCriticalSection* Held;
};
