// What a thread that works behind a game does to itself: it stands back, and it sleeps exactly.
#pragma once
#include <cstdint>

namespace visavis {

// The calling thread runs when others do not need the processor, as far as the system lets it.
void lower_priority() noexcept;

// Processor time that the calling thread has used; where the system counts it too coarsely (Windows) the time of day.
std::int64_t thread_time_ns() noexcept;

// Sleeps; create one in each thread that does.
class Nap {
  public:
    Nap() noexcept;
    ~Nap();
    Nap(const Nap&) = delete;
    Nap& operator=(const Nap&) = delete;
    void sleep(std::int64_t ns) noexcept;

  private:
    void* timer_ = nullptr;
};

}  // namespace visavis
