#include "session/voice_level.h"

#include <algorithm>
#include <cmath>

namespace visavis {

void VoiceLevel::normalise(std::span<const float> samples, std::span<float> out) {
    for (const float sample : samples) {
        sum_ += static_cast<double>(sample);
        squares_ += static_cast<double>(sample) * static_cast<double>(sample);
    }
    n_ += static_cast<double>(samples.size());
    const double count = n_ + kAssumedSamples;
    const double mean = sum_ / count;
    const double variance = std::max((squares_ + kAssumedSamples * kAssumedVariance) / count - mean * mean, 0.0);
    const double scale = 1 / std::sqrt(variance + 1e-7);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        out[i] = static_cast<float>((static_cast<double>(samples[i]) - mean) * scale);
    }
}

}  // namespace visavis
