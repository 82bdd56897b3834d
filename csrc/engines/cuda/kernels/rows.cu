// Norms and what surrounds the backbone: a row a warp.
#include "engines/cuda/kernels/common.h"

namespace visavis::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads) norm_kernel(const __grid_constant__ NormParams p) {
    const int n_rows = p.count.total();
    for (int row = first_of_warps(); row < n_rows; row += all_warps()) {
        const float* x = p.in + p.in_rows.at(row);
        const auto [mean, scale] = row_moments(p.width, p.eps, [x](int d) { return x[d]; });
        for (int d = lane_index(); d < p.width; d += kLanes) {
            float y = (x[d] - mean) * scale;
            if (p.gain) y = y * p.gain[d] + p.bias[d];
            if (p.scale) {
                const std::int64_t at = row * p.modulation_stride + d;
                y = y * (1.0F + p.scale[at]) + p.shift[at];
            }
            y = activated(p.activation, y);
            if (p.out) p.out[p.out_rows.at(row) + d] = y;
            if (p.out_half) halves<T>(p.out_half)[p.half_rows.at(row) + d] = rounded<T>(y);
        }
    }
}

__global__ void __launch_bounds__(kThreads) embed_kernel(const __grid_constant__ EmbedParams p) {
    const int n_rows = p.count.total(), n_tokens = p.count.rows;
    for (int row = first_of_warps(); row < n_rows; row += all_warps()) {
        const Turn& turn = p.turns[row / n_tokens];
        const int token = row % n_tokens;
        const float* x = turn.tokens + std::int64_t{token} * p.width;
        const std::int64_t place = p.absolute ? std::int64_t{turn.place} * n_tokens : 0;
        const float* position = p.positions + (place + token) * p.width;
        const auto [mean, scale] = row_moments(p.width, 1e-6F, [=](int d) { return x[d] + position[d]; });
        for (int d = lane_index(); d < p.width; d += kLanes) {
            p.hidden[std::int64_t{row} * p.width + d] = (x[d] + position[d] - mean) * scale * p.gain[d] + p.bias[d];
        }
    }
}

__global__ void __launch_bounds__(kThreads) read_out_kernel(const __grid_constant__ ReadOutParams p) {
    const int n_rows = p.count.total(), n_frames = p.count.rows;
    for (int row = first_of_warps(); row < n_rows; row += all_warps()) {
        const int index = row / n_frames, frame = row % n_frames, token = p.tokens[frame];
        const Turn& turn = p.turns[index];
        const float* x = p.hidden + (std::int64_t{index} * p.n_tokens + token) * p.width;
        const std::int64_t place = p.absolute ? std::int64_t{turn.place} * p.n_tokens : 0;
        const float* position = p.positions + (place + token) * p.width;
        float* out = p.condition + index * p.turn_stride + frame * p.frame_stride;
        const auto [mean, scale] = row_moments(p.width, 1e-6F, [x](int d) { return x[d]; });
        for (int d = lane_index(); d < p.width; d += kLanes) {
            out[d] = (x[d] - mean) * scale * p.gain[d] + p.bias[d] + position[d];
        }
        if (frame != n_frames - 1) continue;
        for (int i = lane_index(); i < p.n_own; i += kLanes) out[p.width + i] = turn.own[p.own_from + i];
    }
}

__global__ void __launch_bounds__(kThreads) keep_tokens_kernel(const __grid_constant__ KeepParams p) {
    const std::int64_t n = std::int64_t{p.count.turns()} * p.size;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        p.turns[i / p.size].kept[i % p.size] = p.tokens[i];
    }
}

Shape row_shape(const Count& count) { return {blocks_for(count.at_most(), kThreads / kLanes), kThreads}; }

}  // namespace

void norm(const Launcher& launcher, Half half, const NormParams& params) {
    launch(launcher, half == Half::kBf16 ? norm_kernel<Bf16> : norm_kernel<F16>, params, row_shape(params.count));
}

void embed(const Launcher& launcher, const EmbedParams& params) {
    launch(launcher, embed_kernel, params, row_shape(params.count));
}

void read_out(const Launcher& launcher, const ReadOutParams& params) {
    launch(launcher, read_out_kernel, params, row_shape(params.count));
}

void keep_tokens(const Launcher& launcher, const KeepParams& params) {
    launch(launcher, keep_tokens_kernel, params,
           {blocks_for(std::int64_t{params.count.most} * params.size, kThreads), kThreads});
}

}  // namespace visavis::cuda
