// The last frames of a session: a ring of those to be polled and, behind them, those polled already, so that a cancel
// can withdraw both.
#pragma once
#include <cstdint>
#include <span>

#include "memory.h"

namespace visavis {

// Bits of a frame's state: speaking or listening, perhaps late, or withdrawn.  Values of vv_frame_state and the wire.
enum FrameState : std::uint16_t {
    kSpeaking = 1,   // the agent's voice is above -45 dBFS, or was less than 200 ms ago
    kListening = 2,  // else
    kLate = 4,       // was generated after its time
    kWithdrawn = 8,  // cancelled: do not show it
};

struct Frame {
    std::int64_t index = 0;    // frame of the session clock
    std::int64_t time_ns = 0;  // when it is to be seen
    std::uint16_t state = 0;
};

struct Withdrawal {
    std::int64_t n = 0;            // frames
    std::int64_t first_index = 0;  // the lowest of them, where there are any
};

class FrameQueue {
  public:
    FrameQueue(int n_channels, std::int64_t capacity);

    std::int64_t room() const { return capacity_ - (written_ - read_); }
    std::span<float> push(const Frame& frame);  // needs room; returns the memory of the frame's values (C)
    // Copies the oldest frame that is to be polled; false where there is none.
    bool pop(Frame& frame, std::span<float> values);
    // Marks all frames kept whose time is `from_ns` or later as withdrawn; those that were polled come out once more.
    Withdrawal withdraw(std::int64_t from_ns);
    // The values (C) of the newest frame of that index that is kept; empty where there is none.
    std::span<const float> values(std::int64_t index) const;

  private:
    struct Slot {
        Frame frame;
        bool waits = false;  // to be polled
    };
    std::size_t place(std::int64_t number) const { return static_cast<std::size_t>(number % capacity_); }
    std::int64_t oldest() const { return written_ > capacity_ ? written_ - capacity_ : 0; }

    std::size_t n_channels_;
    std::int64_t capacity_;
    std::int64_t read_ = 0, written_ = 0;  // frames before read_ do not wait; frames ever pushed
    BlockVector<Slot> slots_;
    BlockVector<float> values_;  // (capacity, C)
};

}  // namespace visavis
