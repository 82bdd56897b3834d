// From faces and streams to what the projections take.
#include "engines/cuda/kernels/common.h"
#include "model_file/model_config.h"

namespace visavis::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads) motion_rows_kernel(const __grid_constant__ MotionRowsParams p) {
    const int sides = p.with_own ? 2 : 1, n_frames = p.count.rows, of_turn = n_frames * p.n_channels;
    const std::int64_t n = std::int64_t{p.count.turns()} * sides * of_turn;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        const int c = static_cast<int>(i % p.n_channels), frame = static_cast<int>(i / p.n_channels % n_frames);
        const std::int64_t side = i / of_turn % sides, index = i / of_turn / sides;
        float value = 0;
        if (side == 1) {
            value = p.turns[index].own[frame * p.n_channels + c];
        } else if (p.present[index * n_frames + frame]) {
            value = (p.user[index * of_turn + frame * p.n_channels + c] - p.mean[c]) / p.std[c] * p.mask[c];
        }
        halves<T>(p.out)[((index * 2 + side) * n_frames + frame) * p.pitch + c] = rounded<T>(value);
    }
}

// Value d of a stream's token, or of what stands in for it.
__device__ float token_value(const GatherParams& p, std::int64_t index, int kind, int frame, int d) {
    if (kind < kMarkers) return p.markers[kind * p.token_width + d];
    const bool of_user = kind == kUserSpeech || kind == kUserMotion;
    const bool absent = kind == kUserMotion && !p.present[index * p.n_frames + frame];
    if (absent || (of_user && p.unconditional)) return p.fake[d];
    const std::int64_t row = (index * 4 + kind - kUserSpeech) * p.n_frames + frame;
    return p.streams[row * p.token_width + d];
}

template <class T>
__global__ void __launch_bounds__(kThreads) gather_tokens_kernel(const __grid_constant__ GatherParams p) {
    const int n_rows = p.count.total(), n_tokens = p.count.rows;
    for (int row = first_of_warps(); row < n_rows; row += all_warps()) {
        const int index = row / n_tokens, kind = p.kinds[row % n_tokens], frame = p.frames[row % n_tokens];
        const bool of_frame = kind >= kUserFrame;
        const int speech = kind == kUserFrame ? kUserSpeech : of_frame ? kAgentSpeech : kind;
        const bool with_motion = of_frame && !(p.masked && kind == kAgentFrame);
        T* out = halves<T>(p.out) + row * p.pitch;
        for (int d = lane_index(); d < p.token_width; d += kLanes) {
            float value = token_value(p, index, speech, frame, d);
            if (with_motion) value += token_value(p, index, speech + 1, frame, d);
            out[d] = rounded<T>(value);
        }
        if (!(p.masked && kind == kAgentMotion)) continue;
        float* masked = p.embedded + std::int64_t{row} * p.width;
        for (int d = lane_index(); d < p.width; d += kLanes) masked[d] = p.mask_token[d];
    }
}

}  // namespace

void motion_rows(const Launcher& launcher, Half half, const MotionRowsParams& params) {
    const std::int64_t n = std::int64_t{params.count.at_most()} * (params.with_own ? 2 : 1) * params.n_channels;
    launch(launcher, half == Half::kBf16 ? motion_rows_kernel<Bf16> : motion_rows_kernel<F16>, params,
           {blocks_for(n, kThreads), kThreads});
}

void gather_tokens(const Launcher& launcher, Half half, const GatherParams& params) {
    launch(launcher, half == Half::kBf16 ? gather_tokens_kernel<Bf16> : gather_tokens_kernel<F16>, params,
           {blocks_for(params.count.at_most(), kThreads / kLanes), kThreads});
}

}  // namespace visavis::cuda
