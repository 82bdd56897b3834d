// Stand-in for tests, see README.md.
#pragma once

#include <thread>

#include "HAL/Runnable.h"

enum EThreadPriority { TPri_Normal, TPri_AboveNormal, TPri_BelowNormal };

class FRunnableThread {
  public:
    static FRunnableThread* Create(FRunnable* Runnable, const TCHAR* Name, uint32 StackSize = 0,
                                   EThreadPriority Priority = TPri_Normal);
    void WaitForCompletion() { Thread.join(); }
    virtual ~FRunnableThread() {
        if (Thread.joinable()) {
            Body->Stop();
            Thread.join();
        }
    }

  private:
    explicit FRunnableThread(FRunnable* Runnable) : Body(Runnable), Thread([Runnable] { Runnable->Run(); }) {}
    FRunnable* Body;
    std::thread Thread;
};
