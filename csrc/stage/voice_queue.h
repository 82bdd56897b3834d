// The agent's voice as it was sent, at its own rate, until the time comes to hear it.  Bursts of synthetic speech are
// much longer than what a head's playback ring holds.  One caller.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "memory.h"

namespace visavis {

class VoiceQueue {
  public:
    // What is to be heard next: a piece without a seam inside; the memory lives until the next call of the queue.
    struct Piece {
        std::int64_t time_ns = 0;  // session clock
        std::int64_t count = 0;    // of samples that went out before it
        std::uint32_t rate = 0;
        std::span<const float> samples;
    };

    // Behind what is queued; what is queued for that time or later is replaced.  False: two minutes wait already.
    bool push(std::span<const float> samples, std::uint32_t rate, std::int64_t time_ns);
    // The next piece that begins before `until_ns`; no samples: there is none.
    Piece take(std::int64_t until_ns);
    void cut(std::int64_t from_ns);
    void clear();

  private:
    struct Run {  // pushes that follow each other
        std::int64_t time_ns = 0;
        std::uint32_t rate = 0;
        std::int64_t n_samples = 0, n_taken = 0;
        std::int64_t time_of(std::int64_t sample) const;
        std::int64_t end_ns() const { return time_of(n_samples); }
    };
    void reserve(std::int64_t n_new);
    float& at(std::int64_t sample) { return ring_[static_cast<std::size_t>(sample) & (ring_.size() - 1)]; }

    BlockVector<float> ring_;              // a power of two
    std::int64_t read_ = 0, written_ = 0;  // samples ever taken and pushed; those cut are not counted
    std::int64_t n_out_ = 0;
    std::vector<Run> runs_;  // few: each piece of speech that was sent without a pause
};

}  // namespace visavis
