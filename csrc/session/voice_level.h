// Zero mean and unit variance for a live voice, for models whose speech encoder expects both of a whole clip.
//
// The mean and variance are those of all turns heard so far, the present one included, and of one assumed second at
// -26 dBFS: without it the noise before the first word would be blown up to the loudness of speech.
#pragma once
#include <cstdint>
#include <span>

#include "constants.h"

namespace visavis {

inline constexpr double kAssumedVariance = 0.05 * 0.05;
inline constexpr double kAssumedSamples = kSampleRate;

class VoiceLevel {
  public:
    // Counts a turn's samples in and writes them normalised; `out` has their number.
    void normalise(std::span<const float> samples, std::span<float> out);

  private:
    double n_ = 0, sum_ = 0, squares_ = 0;
};

}  // namespace visavis
