// Noise, the sampler and what stands at its two ends.
#include "engines/cuda/kernels/sampler.h"

namespace visavis::cuda {
namespace {

// ---- noise: Philox 4x32-10 and Box-Muller as session/noise.cpp, four channels a thread

struct Words {
    std::uint32_t w[4];
};

__device__ Words philox(Words counter, std::uint64_t seed) {
    auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53U} * counter.w[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57U} * counter.w[2];
        counter = {{static_cast<std::uint32_t>(b >> 32) ^ counter.w[1] ^ key0, static_cast<std::uint32_t>(b),
                    static_cast<std::uint32_t>(a >> 32) ^ counter.w[3] ^ key1, static_cast<std::uint32_t>(a)}};
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    return counter;
}

// (word + 1/2) / 2^32, of which float keeps no more than 1 - 2^-25 at the upper end: the logarithm stays below 0.
__device__ float uniform(std::uint32_t word) {
    return fminf((static_cast<float>(word) + 0.5F) * 2.3283064e-10F, 0.99999994F);
}

__device__ void add_normals(const Words& words, float weight, float (&out)[4]) {
    for (int i = 0; i < 4; i += 2) {
        const float radius = sqrtf(-2.0F * logf(uniform(words.w[i])));
        const float angle = 6.2831853F * uniform(words.w[i + 1]);
        out[i] += weight * radius * cosf(angle);
        out[i + 1] += weight * radius * sinf(angle);
    }
}

__global__ void __launch_bounds__(kThreads) draw_noise_kernel(const __grid_constant__ NoiseParams p) {
    const int quads = (p.n_channels + 3) / 4, steps = 1 + p.n_steps;
    const std::int64_t n = std::int64_t{p.count.turns()} * steps * p.n_frames * quads;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        const int quad = static_cast<int>(i % quads), frame = static_cast<int>(i / quads % p.n_frames);
        const std::int64_t row = i / quads;  // (turn, step, frame)
        const int step = static_cast<int>(row / p.n_frames % steps);
        const Turn& turn = p.turns[row / p.n_frames / steps];
        float values[4] = {0, 0, 0, 0};
        for (int tap = p.n_taps - 1; tap >= 0 && !turn.explicit_noise; --tap) {  // oldest first
            const auto at = static_cast<std::uint64_t>(turn.first_frame + frame - tap);
            const Words counter{{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32),
                                 static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(quad)}};
            add_normals(philox(counter, turn.seed), p.taps[tap], values);
        }
        for (int c = 0; c < 4 && 4 * quad + c < p.n_channels; ++c) {
            const std::int64_t at = row * p.n_channels + 4 * quad + c;
            p.out[at] = turn.explicit_noise ? p.given[at] : values[c];
        }
    }
}

// ---- the sampler

template <class T>
__global__ void __launch_bounds__(kThreads) start_kernel(const __grid_constant__ StartParams p) {
    const SamplerState& state = p.state;
    const int of_turn = state.n_rows * state.row_width;
    const std::int64_t n = std::int64_t{p.count.turns()} * of_turn;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        const std::int64_t turn = i / of_turn;
        const int column = static_cast<int>(i % state.row_width);
        const float scale = state.ancestral ? 1.0F : state.turns[turn].temperature;
        const float noise = state.noise[turn * (1 + state.noise_steps) * of_turn + i % of_turn];
        const float x = scale * noise * state.noise_scale[column];
        state.x[i] = x;
        halves<T>(state.x_half)[i / state.row_width * state.row_pad + column] = rounded<T>(x);
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads) activate_kernel(const __grid_constant__ ActivateParams p) {
    const std::int64_t n = std::int64_t{p.count.total()} * p.n_steps * p.width;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        const std::int64_t d = i % p.width, at = i / p.width, step = at % p.n_steps, row = at / p.n_steps;
        const float x = p.time[step * p.width + d] + p.condition[row * p.width + d];
        halves<T>(p.out)[at * p.pitch + d] = rounded<T>(silu_of(x));
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads) advance_kernel(const __grid_constant__ AdvanceParams p) {
    const SamplerState& state = p.state;
    const std::int64_t n = std::int64_t{p.count.turns()} * state.n_rows * state.row_width;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        const int row = static_cast<int>(i / state.row_width), column = static_cast<int>(i % state.row_width);
        const int conditional = row / state.n_rows * state.branches * state.n_rows + row % state.n_rows;
        const float* said = p.predicted + conditional * p.predicted_stride + column;
        const float* unguided = said + (state.branches - 1) * state.n_rows * p.predicted_stride;
        const bool variance = state.ancestral && !p.step.last;
        advance_value<T>(state, p.step, p.index, row, column,
                         {said[0], unguided[0], variance ? said[state.row_pad] : 0.0F});
    }
}

// Channel by channel, the last frame last: every frame is based on the last one of the turn before.
__global__ void __launch_bounds__(kThreads) finish_kernel(const __grid_constant__ FinishParams p) {
    const std::int64_t n = std::int64_t{p.count.turns()} * p.n_channels;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        const int c = static_cast<int>(i % p.n_channels), of_turn = p.n_frames * p.n_channels;
        const std::int64_t turn = i / p.n_channels;
        float* own = p.turns[turn].own;
        const float base = own[of_turn - p.n_channels + c];
        for (int at = c; at < of_turn; at += p.n_channels) {
            float value = p.x[turn * of_turn + at];
            if (p.residual_scale) value = p.residual_gain[at] * base + p.residual_scale[at] * value;
            own[at] = value;
            p.motion[turn * of_turn + at] = p.mask[c] > 0 ? value * p.std[c] + p.mean[c] : 0.0F;
        }
    }
}

template <class Params>
void start(const Launcher& launcher, Half half, void (*bf16)(Params), void (*f16)(Params), const Params& params,
           std::int64_t n) {
    launch(launcher, half == Half::kBf16 ? bf16 : f16, params, {blocks_for(n, kThreads), kThreads});
}

std::int64_t values_of(const Count& count, const SamplerState& state) {
    return std::int64_t{count.most} * state.n_rows * state.row_width;
}

}  // namespace

void draw_noise(const Launcher& launcher, const NoiseParams& params) {
    const std::int64_t quads = (params.n_channels + 3) / 4;
    const std::int64_t n = std::int64_t{params.count.most} * (1 + params.n_steps) * params.n_frames * quads;
    launch(launcher, draw_noise_kernel, params, {blocks_for(n, kThreads), kThreads});
}

void start_sampler(const Launcher& launcher, Half half, const StartParams& params) {
    start(launcher, half, start_kernel<Bf16>, start_kernel<F16>, params, values_of(params.count, params.state));
}

void activate_condition(const Launcher& launcher, Half half, const ActivateParams& params) {
    const std::int64_t n = std::int64_t{params.count.at_most()} * params.n_steps * params.width;
    start(launcher, half, activate_kernel<Bf16>, activate_kernel<F16>, params, n);
}

void advance_sampler(const Launcher& launcher, Half half, const AdvanceParams& params) {
    start(launcher, half, advance_kernel<Bf16>, advance_kernel<F16>, params, values_of(params.count, params.state));
}

void finish(const Launcher& launcher, const FinishParams& params) {
    const std::int64_t n = std::int64_t{params.count.most} * params.n_channels;
    launch(launcher, finish_kernel, params, {blocks_for(n, kThreads), kThreads});
}

}  // namespace visavis::cuda
