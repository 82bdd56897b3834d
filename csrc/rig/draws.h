// Random numbers of the rig: stateless, a function of the seed, the stream and the number of the event alone.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "session/noise.h"

namespace visavis {

enum class Stream : std::uint32_t { kBlinks = 1, kSpells = 2, kFixations = 3, kMicroSaccades = 4, kUtterances = 5 };

class Draws {
  public:
    Draws(std::uint64_t seed, Stream stream) : seed_(seed), stream_(static_cast<std::uint32_t>(stream)) {}

    // Four numbers in (0, 1) of an event.  The third counter word is far from the engine's denoising steps.
    std::array<double, 4> uniform(std::uint64_t event, std::uint32_t block = 0) const {
        const auto words = philox4x32(
            {static_cast<std::uint32_t>(event), static_cast<std::uint32_t>(event >> 32), 0x52494700U + stream_, block},
            {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
        std::array<double, 4> out{};
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = (words[i] + 0.5) * 0x1p-32;
        return out;
    }

  private:
    std::uint64_t seed_;
    std::uint32_t stream_;
};

inline double normal(double u, double v) { return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v); }
inline double between(double u, double low, double high) { return low + u * (high - low); }

}  // namespace visavis
