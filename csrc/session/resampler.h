// Band-limited streaming resampler: any integer rate from 8 to 192 kHz to the 16 kHz of the models.
//
// Output n stands at input position n * rate / 16000, kept as an exact fraction of integers: no delay, no drift.
// A Kaiser-windowed sinc of +-48 samples of the lower rate passes 0..7/8 of the lower Nyquist frequency (7 kHz) within
// 0.001 dB and stops what would alias or mirror by more than 90 dB.  16 kHz input passes untouched.
#pragma once
#include <cstdint>
#include <span>

#include "memory.h"

namespace visavis {

inline constexpr int kMinRate = 8000;
inline constexpr int kMaxRate = 192000;

class Resampler {
  public:
    static constexpr int kBlock = 1024;  // most input samples a call to push takes

    explicit Resampler(int rate);
    int rate() const { return rate_; }
    void reset();  // forget all input

    // Takes the next input (at most kBlock samples); returns the outputs that no later input can change.  The span
    // lives until the next call.
    std::span<const float> push(std::span<const float> input);
    // Returns the outputs up to number `until` (at most `length()`), as if silence followed the input so far; input
    // that comes later still counts for the outputs after them.
    std::span<const float> settle(std::int64_t until);

    std::int64_t n_input() const { return n_input_; }
    std::int64_t n_output() const { return n_output_; }  // outputs returned so far
    // Outputs that the input so far spans: those that stand before its end.
    std::int64_t length() const;

  private:
    void build_bank();
    float output() const;
    void step();

    int rate_;
    std::int64_t up_ = 1, down_ = 1;  // rate : 16000 = down : up, lowest terms
    std::int64_t half_ = 0;           // taps on each side of an output
    std::int64_t n_taps_ = 0;         // 2 * half, padded to the width of the dot product
    std::int64_t n_phases_ = 0;       // rows of the bank less one
    BlockVector<float> bank_;         // (n_phases + 1, n_taps)
    BlockVector<float> window_;       // input from position window_start on
    std::int64_t window_start_ = 0;
    std::int64_t n_window_ = 0;
    std::int64_t position_ = 0;  // input sample at or before the next output
    std::int64_t phase_ = 0;     // rest of its position, in 1/up
    std::int64_t n_input_ = 0, n_output_ = 0;
    BlockVector<float> out_;
};

}  // namespace visavis
