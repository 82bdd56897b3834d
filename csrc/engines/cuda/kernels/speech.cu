// What the speech encoders need beside products: states and samples of voices, wav2vec2's first convolution,
// interpolation and windows for its positions.
#include "engines/cuda/kernels/common.h"

namespace visavis::cuda {
namespace {

// ---- voices of the log-mel encoder: a block a voice

struct VoiceView {
    float* audio;         // state's samples, then fresh ones
    char* state;
    const float* samples;
    int n_samples;
};

__device__ VoiceView voice_view(const VoicesParams& p, int voice) {
    const Turn& turn = p.turns[voice / 2];
    const int side = voice % 2;
    const float* samples = p.samples + voice / 2 * p.samples_stride + side * p.user_samples;
    return {p.audio + std::int64_t{voice} * (kKeptSamples + p.n_fresh), turn.voices + side * p.state_bytes, samples,
            turn.n_samples[side]};
}

template <class T>
__device__ T* kept_inputs(const VoiceView& view, const VoiceLayer& layer) {
    return reinterpret_cast<T*>(view.state + kKeptSamples * sizeof(float)) + layer.state;
}

template <class T>
__global__ void __launch_bounds__(kThreads) load_voices_kernel(const __grid_constant__ VoicesParams p) {
    for (int voice = block_index(); voice < p.count.total(); voice += n_blocks()) {
        const VoiceView view = voice_view(p, voice);
        for (int i = thread_index(); i < kKeptSamples + p.n_fresh; i += kThreads) {
            const int at = i - kKeptSamples;
            view.audio[i] = at < 0 ? reinterpret_cast<const float*>(view.state)[i] : at < view.n_samples ? view.samples[at] : 0.0F;
        }
        for (int l = 0; l < p.n_layers; ++l) {
            const VoiceLayer& layer = p.layers[l];
            T* inputs = halves<T>(layer.inputs) + voice * layer.stride;
            const T* kept = kept_inputs<T>(view, layer);
            for (int i = thread_index(); i < layer.kept; i += kThreads) inputs[i] = kept[i];
        }
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads) save_voices_kernel(const __grid_constant__ VoicesParams p) {
    for (int voice = block_index(); voice < p.count.total(); voice += n_blocks()) {
        const VoiceView view = voice_view(p, voice);
        for (int i = thread_index(); i < kKeptSamples; i += kThreads) {
            reinterpret_cast<float*>(view.state)[i] = view.audio[p.turn_samples + i];
        }
        for (int l = 0; l < p.n_layers; ++l) {
            const VoiceLayer& layer = p.layers[l];
            const T* inputs = halves<T>(layer.inputs) + voice * layer.stride + layer.turn;
            T* kept = kept_inputs<T>(view, layer);
            for (int i = thread_index(); i < layer.kept; i += kThreads) kept[i] = inputs[i];
        }
    }
}

// ---- wav2vec2

struct FirstRow {
    const float* samples;
    int n_samples;
};

__device__ FirstRow first_row(const FirstConvolutionParams& p, int voice, int row) {
    const int whole = voice + p.count.first * 2, turn = whole / 2, side = whole % 2;
    const float* samples = p.samples + turn * p.samples_stride + side * p.user_samples;
    return {samples + row * p.stride, p.turns[turn].n_samples[side] - row * p.stride};
}

__device__ float convolved(const FirstConvolutionParams& p, const FirstRow& row, int channel) {
    float sum = p.bias ? p.bias[channel] : 0.0F;
    for (int k = 0; k < p.kernel; ++k) {
        if (k < row.n_samples) sum += row.samples[k] * p.weight[k * p.width + channel];
    }
    return sum;
}

// Each channel over the turn: a warp a channel, what it is scaled with and shifted by into `moments`.
__global__ void __launch_bounds__(kThreads) channel_moments_kernel(const __grid_constant__ FirstConvolutionParams p) {
    const int n = p.count.total() * p.width;
    for (int i = first_of_warps(); i < n; i += all_warps()) {
        const int voice = i / p.width, channel = i % p.width;
        const auto [mean, scale] =
            row_moments(p.n_rows, 1e-5F, [&](int row) { return convolved(p, first_row(p, voice, row), channel); });
        if (lane_index() == 0) {
            p.moments[2 * i] = scale * p.gain[channel];
            p.moments[2 * i + 1] = p.shift[channel] - mean * scale * p.gain[channel];
        }
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads) first_convolution_kernel(const __grid_constant__ FirstConvolutionParams p) {
    const int n = p.count.total() * p.n_rows;
    for (int i = first_of_warps(); i < n; i += all_warps()) {
        const int voice = i / p.n_rows;
        const FirstRow row = first_row(p, voice, i % p.n_rows);
        T* out = halves<T>(p.out) + std::int64_t{i} * p.pitch;
        Moments moments{0, 1};
        if (!p.group_norm) {
            moments = row_moments(p.width, 1e-5F, [&](int channel) { return convolved(p, row, channel); });
        }
        for (int channel = lane_index(); channel < p.width; channel += kLanes) {
            const float x = convolved(p, row, channel);
            float y;
            if (p.group_norm) {
                const float* of_channel = p.moments + 2 * (voice * p.width + channel);
                y = x * of_channel[0] + of_channel[1];
            } else {
                y = (x - moments.mean) * moments.scale * p.gain[channel] + p.shift[channel];
            }
            out[channel] = rounded<T>(gelu_of(y));
        }
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads) interpolate_kernel(const __grid_constant__ InterpolateParams p) {
    const int n = p.count.total();
    for (int i = first_of_warps(); i < n; i += all_warps()) {
        const int voice = i / p.n_frames, frame = i % p.n_frames;
        const float step = p.n_frames > 1 ? static_cast<float>(p.n_rows - 1) / static_cast<float>(p.n_frames - 1) : 0.0F;
        const float at = step * static_cast<float>(frame);
        const int low = min(static_cast<int>(at), p.n_rows - 1), high = min(low + 1, p.n_rows - 1);
        const float part = at - static_cast<float>(low);
        const T* from = halves<T>(p.in) + std::int64_t{voice} * p.n_rows * p.pitch;
        const T *a = from + low * p.pitch, *b = from + high * p.pitch;
        const auto value = [=](int d) { return value_of(a[d]) * (1.0F - part) + value_of(b[d]) * part; };
        const auto [mean, scale] = row_moments(p.width, p.eps, value);
        // All voices of the batch have their rows in one buffer, those of this count behind the ones before.
        const std::int64_t row = std::int64_t{p.count.first} * p.count.rows + i;
        for (int d = lane_index(); d < p.width; d += kLanes) {
            halves<T>(p.out)[row * p.out_pitch + d] = rounded<T>((value(d) - mean) * scale * p.gain[d] + p.bias[d]);
        }
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads) place_groups_kernel(const __grid_constant__ PlaceGroupsParams p) {
    const int group_width = p.width / p.groups;
    const std::int64_t of_group = std::int64_t{p.n_rows} * group_width;
    const std::int64_t n = p.count.total() * p.groups * of_group;
    for (std::int64_t i = first_of_threads(); i < n; i += all_threads()) {
        const std::int64_t d = i % group_width, row = i / group_width % p.n_rows, part = i / of_group;
        const std::int64_t group = part % p.groups, voice = part / p.groups, frame = row - p.before;
        const bool there = frame >= 0 && frame < p.n_frames;
        const float value = there ? p.hidden[(voice * p.n_frames + frame) * p.width + group * group_width + d] : 0.0F;
        halves<T>(p.out)[(part * p.n_rows + row) * p.pitch + d] = rounded<T>(value);
    }
}

template <class Params>
void start(const Launcher& launcher, Half half, void (*bf16)(Params), void (*f16)(Params), const Params& params,
           int n_blocks) {
    launch(launcher, half == Half::kBf16 ? bf16 : f16, params, {n_blocks, kThreads});
}

constexpr int kWarpsOfBlock = kThreads / kLanes;

}  // namespace

void load_voices(const Launcher& launcher, Half half, const VoicesParams& params) {
    start(launcher, half, load_voices_kernel<Bf16>, load_voices_kernel<F16>, params, params.count.at_most());
}

void save_voices(const Launcher& launcher, Half half, const VoicesParams& params) {
    start(launcher, half, save_voices_kernel<Bf16>, save_voices_kernel<F16>, params, params.count.at_most());
}

void first_convolution(const Launcher& launcher, Half half, const FirstConvolutionParams& params) {
    const int voices = params.count.at_most();
    if (params.group_norm) {
        launch(launcher, channel_moments_kernel, params, {blocks_for(voices * params.width, kWarpsOfBlock), kThreads});
    }
    start(launcher, half, first_convolution_kernel<Bf16>, first_convolution_kernel<F16>, params,
          blocks_for(voices * params.n_rows, kWarpsOfBlock));
}

void interpolate(const Launcher& launcher, Half half, const InterpolateParams& params) {
    start(launcher, half, interpolate_kernel<Bf16>, interpolate_kernel<F16>, params,
          blocks_for(params.count.at_most(), kWarpsOfBlock));
}

void place_groups(const Launcher& launcher, Half half, const PlaceGroupsParams& params) {
    const std::int64_t n = std::int64_t{params.count.at_most()} * params.n_rows * params.width;
    start(launcher, half, place_groups_kernel<Bf16>, place_groups_kernel<F16>, params, blocks_for(n, kThreads));
}

}  // namespace visavis::cuda
