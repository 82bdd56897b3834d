// Stand-in for tests, see README.md: an event that resets itself.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "Misc/Timespan.h"

class FEvent {
  public:
    void Trigger() {
        const std::lock_guard<std::mutex> Guard(Mutex);
        bSet = true;
        Condition.notify_all();
    }
    bool Wait(const FTimespan& Time, bool = false) {
        std::unique_lock<std::mutex> Guard(Mutex);
        const bool bWas = Condition.wait_until(
            Guard, std::chrono::system_clock::now() + std::chrono::nanoseconds(Time.GetTicks() * 100),
            [this] { return bSet; });
        bSet = false;
        return bWas;
    }

  private:
    std::mutex Mutex;
    std::condition_variable Condition;
    bool bSet = false;
};
