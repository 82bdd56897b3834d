// A lock that nobody waits for longer than some microseconds: for texts that other threads read.
#pragma once
#include <atomic>

namespace visavis {

class TryLock {
  public:
    explicit TryLock(std::atomic_flag& flag) : flag_(flag) {
        for (int tries = 0; tries < 2000 && !held_; ++tries) held_ = !flag_.test_and_set(std::memory_order_acquire);
    }
    ~TryLock() {
        if (held_) flag_.clear(std::memory_order_release);
    }
    TryLock(const TryLock&) = delete;
    TryLock& operator=(const TryLock&) = delete;
    explicit operator bool() const { return held_; }

  private:
    std::atomic_flag& flag_;
    bool held_ = false;
};

}  // namespace visavis
