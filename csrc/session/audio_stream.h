// One voice on the session clock: samples of any rate in, 16 kHz samples at exact times out.
//
// Rules (counted in VoiceStats):
// * A push without a time begins where the queue ends, or at the first sample not yet used where that is later.
// * A push whose time is within `tolerance` samples of where the queue ends goes on without a seam.
// * Later than that: the gap is silence.  Earlier: what was queued from that time on is replaced.  A part that lies
//   before the first unused sample is dropped.
// * Microphones (`drifts`): a step of more than the tolerance but less than kMaxDrift is taken for clock drift: samples
//   of silence are inserted, or the first samples of the push (at most all of it) dropped.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "constants.h"
#include "memory.h"
#include "session/resampler.h"

namespace visavis {

inline constexpr std::int64_t kSampleNs = 1'000'000'000 / kSampleRate;  // 62500, exact
inline constexpr std::int64_t kMaxAheadSamples = 600LL * kSampleRate;   // a push may reach ten minutes ahead
inline constexpr std::int64_t kMicrophoneTolerance = kSamplesPerFrame;  // 40 ms
inline constexpr std::int64_t kExactTolerance = kSampleRate / 1000;     // 1 ms: times rounded to milliseconds
inline constexpr std::int64_t kMaxDrift = 3 * kSamplesPerFrame;         // 120 ms

// Counted in samples at 16 kHz.
struct VoiceStats {
    std::int64_t pushed = 0;
    std::int64_t missing = 0;    // were not there when their turn was due
    std::int64_t late = 0;       // came after their turn, dropped
    std::int64_t gap = 0;        // silence between pushes that were not adjacent
    std::int64_t replaced = 0;   // queued, then overlapped by a later push
    std::int64_t inserted = 0;   // drift: the microphone ran slow
    std::int64_t dropped = 0;    // drift: the microphone ran fast
    std::int64_t cancelled = 0;  // queued, then withdrawn
};

class AudioStream {
  public:
    AudioStream(const char* name, bool drifts);

    // Queues mono samples; returns the session time of the first.  Throws kInvalidArgument and takes nothing.
    std::int64_t push(std::span<const float> samples, int rate, std::optional<std::int64_t> time_ns);
    void finish();                    // no more input follows the last push: its last samples become final
    void settle(std::int64_t until);  // the same for the samples before `until`, which are about to be used
    void cancel(std::int64_t from);   // forget what is queued from sample `from` on
    // Copies samples [from, from + out.size()), silence where there are none; returns how many there were.
    std::int64_t read(std::int64_t from, std::span<float> out) const;
    void use_until(std::int64_t until);  // samples before `until` will not be read again

    bool started() const { return started_; }
    std::int64_t covered() const { return end_; }  // final up to here
    std::int64_t queued_end() const;               // pushed up to here
    VoiceStats stats;

  private:
    enum class Seam { kNone, kDrift, kNew };

    void check(std::span<const float> samples, int rate) const;
    void check_ahead(std::int64_t start, std::int64_t n_new) const;
    Seam seam_at(std::int64_t asked) const;
    std::int64_t place(Seam seam, std::int64_t asked, std::int64_t n_new);
    void start_run(std::int64_t start, int rate);
    void feed(std::span<const float> samples);
    void append(std::span<const float> samples);
    void append_silence(std::int64_t n);
    void reserve(std::int64_t end);
    float& at(std::int64_t sample) { return ring_[static_cast<std::size_t>(sample) & (ring_.size() - 1)]; }
    const float& at(std::int64_t sample) const { return ring_[static_cast<std::size_t>(sample) & (ring_.size() - 1)]; }

    const char* name_;
    bool drifts_;
    bool started_ = false;
    std::unique_ptr<Resampler> resampler_;  // of the present run of adjacent pushes
    bool running_ = false;
    std::int64_t run_start_ = 0;        // sample at which the run begins
    std::int64_t begin_ = 0, end_ = 0;  // the ring holds [begin, end)
    BlockVector<float> ring_;           // a power of two
};

}  // namespace visavis
