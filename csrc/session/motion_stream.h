// The user's tracked face on the session clock: frames at 25 fps, each there or absent.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "constants.h"
#include "memory.h"

namespace visavis {

inline constexpr std::int64_t kMaxAheadFrames = 600LL * kFrameRate;  // a push may reach ten minutes ahead

// Counted in frames.
struct MotionStats {
    std::int64_t pushed = 0;
    std::int64_t late = 0;      // came after their turn, dropped
    std::int64_t replaced = 0;  // queued, then pushed again
};

class MotionStream {
  public:
    explicit MotionStream(int n_channels);

    // Queues frames (n, C); returns the session time of the first.  Default time: after the last frame pushed, or the
    // first frame not yet used where that is later.  A time is rounded to the nearest frame; the later push wins.
    std::int64_t push(std::span<const float> values, std::optional<std::int64_t> time_ns);
    // Copies frames [from, from + F) into out (F, C) and says which of them are there (F); the others are zero.  False
    // where all are missing.
    bool read(std::int64_t from, std::span<float> out, std::span<std::uint8_t> present) const;
    void use_until(std::int64_t frame);
    MotionStats stats;

  private:
    void check(std::span<const float> values) const;
    void reserve(std::int64_t end);
    std::size_t slot(std::int64_t frame) const { return static_cast<std::size_t>(frame) & (present_.size() - 1); }
    bool has(std::int64_t frame) const { return frame >= begin_ && frame < end_ && present_[slot(frame)]; }
    std::span<const float> frame(std::int64_t index) const;

    std::size_t n_channels_;
    std::int64_t begin_ = 0, end_ = 0;
    BlockVector<std::uint8_t> present_;  // a power of two
    BlockVector<float> ring_;            // (present.size(), C)
};

}  // namespace visavis
