// Physical constants of the house: all else is derived from these (python/visavis/constants.py mirrors them).
#pragma once
#include <cstdint>

namespace visavis {
inline constexpr int kSampleRate = 16000;
inline constexpr int kFrameRate = 25;
inline constexpr int kSamplesPerFrame = kSampleRate / kFrameRate;     // 640
inline constexpr std::int64_t kFrameNs = 1'000'000'000 / kFrameRate;  // 40 ms
}  // namespace visavis
