#include "session/noise.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "error.h"

namespace visavis {
namespace {

using Block = std::array<std::uint32_t, 4>;
using Normals = std::array<float, 4>;
using Taps = std::array<float, kCoherenceTaps>;

// Multipliers and Weyl constants of Philox 4x32 (Salmon et al. 2011).
constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

double uniform(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

Normals normals(std::uint64_t seed, std::int64_t frame, int step, int block) {
    const auto at = static_cast<std::uint64_t>(frame);
    const Block words = philox4x32({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32),
                                    static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(block)},
                                   {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    Normals out{};
    for (std::size_t i = 0; i < 4; i += 2) {
        const double radius = std::sqrt(-2.0 * std::log(uniform(words[i])));
        const double angle = 2.0 * std::numbers::pi * uniform(words[i + 1]);
        out[i] = static_cast<float>(radius * std::cos(angle));
        out[i + 1] = static_cast<float>(radius * std::sin(angle));
    }
    return out;
}

Taps taps(float coherence) {
    double energy = 0, power = 1;
    std::array<double, kCoherenceTaps> weights{};
    for (double& weight : weights) {
        weight = power;
        energy += power * power;
        power *= static_cast<double>(coherence);
    }
    Taps out{};
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<float>(weights[j] / std::sqrt(energy));
    return out;
}

}  // namespace

Block philox4x32(Block counter, std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < kRounds; ++round) {
        const std::uint64_t a = std::uint64_t{kMultiplier0} * counter[0];
        const std::uint64_t b = std::uint64_t{kMultiplier1} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key = {key[0] + kWeyl0, key[1] + kWeyl1};
    }
    return counter;
}

std::size_t noise_size(const NoiseRequest& request) {
    const auto [seed, first_frame, n_frames, n_channels, n_steps, coherence] = request;
    if (n_frames < 0 || n_channels < 0 || n_steps < 0) {
        throw Error(Status::kInvalidArgument, "noise: frames, channels and steps are " + std::to_string(n_frames) +
                                                  ", " + std::to_string(n_channels) + " and " +
                                                  std::to_string(n_steps) + "; expected none below 0");
    }
    if (!(coherence >= 0 && coherence < 1)) {
        throw Error(Status::kInvalidArgument,
                    "noise: coherence is " + std::to_string(coherence) + "; expected 0 <= coherence < 1");
    }
    return (1 + static_cast<std::size_t>(n_steps)) * static_cast<std::size_t>(n_frames) *
           static_cast<std::size_t>(n_channels);
}

void noise(const NoiseRequest& request, std::span<float> out) {
    if (const std::size_t expected = noise_size(request); out.size() != expected) {
        throw Error(Status::kInvalidArgument,
                    "noise: room for " + std::to_string(out.size()) + " values; expected " + std::to_string(expected));
    }
    std::fill(out.begin(), out.end(), 0.0F);
    const Taps weights = taps(request.coherence);
    const int n_taps = request.coherence > 0 ? kCoherenceTaps : 1;
    const int channels = request.n_channels;
    for (int step = 0; step <= request.n_steps; ++step) {
        float* rows = out.data() + static_cast<std::ptrdiff_t>(step) * request.n_frames * channels;
        for (int block = 0; 4 * block < channels; ++block) {
            const int width = std::min(4, channels - 4 * block);
            // Oldest source first: every sum is formed in the same order, whatever range it is asked with.
            for (int source = 1 - n_taps; source < request.n_frames; ++source) {
                const Normals n = normals(request.seed, request.first_frame + source, step, block);
                const int last = std::min(source + n_taps, request.n_frames);
                for (int k = std::max(source, 0); k < last; ++k) {
                    float* row = rows + static_cast<std::ptrdiff_t>(k) * channels + 4 * block;
                    const float weight = weights[static_cast<std::size_t>(k - source)];
                    for (int c = 0; c < width; ++c) row[c] += weight * n[static_cast<std::size_t>(c)];
                }
            }
        }
    }
}

}  // namespace visavis
