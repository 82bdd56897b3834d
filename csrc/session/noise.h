// Noise of the diffusion head: Philox 4x32-10 in counter mode, stateless, so that the value for a frame depends on
// nothing but the session seed, the frame index, the denoising step and the channel.
//
// key     = seed (low word, high word)
// counter = (frame low word, frame high word, step, channel / 4); the four outputs are the channels 4i..4i+3
// normal  = Box-Muller on pairs of outputs, uniform = (word + 1/2) / 2^32
//
// Coherence r in [0, 1) makes neighbouring frames alike: e_k = sum_{j=0..7} w_j n_{k-j} with w_j ~ r^j, sum w^2 = 1.
// Frames before the session's start are negative and as valid as any other.  Step 0 is x_T.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace visavis {

inline constexpr int kCoherenceTaps = 8;

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

// What noise() fills; all that it depends on.
struct NoiseRequest {
    std::uint64_t seed = 0;
    std::int64_t first_frame = 0;
    int n_frames = 0;
    int n_channels = 0;
    int n_steps = 0;  // noise after x_T
    float coherence = 0;
};

// Number of values of the request.  Throws Error for a negative count or a coherence outside [0, 1).
std::size_t noise_size(const NoiseRequest& request);

// Fills out, shape (1 + n_steps, n_frames, n_channels); its size must be noise_size(request).  Allocates nothing.
void noise(const NoiseRequest& request, std::span<float> out);

}  // namespace visavis
