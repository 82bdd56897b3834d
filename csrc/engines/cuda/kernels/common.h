// What several kernels share.
#pragma once
#include "engines/cuda/device/instructions.h"
#include "engines/cuda/kernels.h"

namespace visavis::cuda {

inline constexpr int kLanes = 32;

__device__ inline int lane_index() { return thread_index() % kLanes; }
__device__ inline int warp_index() { return thread_index() / kLanes; }
__device__ inline int n_warps() { return n_threads() / kLanes; }

// The warps of the whole grid share items.
__device__ inline int first_of_warps() { return block_index() * n_warps() + warp_index(); }
__device__ inline int all_warps() { return n_blocks() * n_warps(); }
// So do the threads.
__device__ inline int first_of_threads() { return block_index() * n_threads() + thread_index(); }
__device__ inline int all_threads() { return n_blocks() * n_threads(); }

inline constexpr int kThreads = 256;
inline int blocks_for(std::int64_t n_items, int per_block) {
    return static_cast<int>((n_items + per_block - 1) / per_block);
}

__device__ inline float warp_sum(float x) {
    for (int mask = kLanes / 2; mask > 0; mask /= 2) x += from_lane_xor(x, mask);
    return x;
}

__device__ inline float gelu_of(float x) { return 0.5F * x * (1.0F + erff(x * 0.70710678F)); }
__device__ inline float silu_of(float x) { return x / (1.0F + expf(-x)); }

__device__ inline float activated(Activation activation, float x) {
    switch (activation) {
        case Activation::kRelu: return fmaxf(x, 0.0F);
        case Activation::kGelu: return gelu_of(x);
        case Activation::kSilu: return silu_of(x);
        default: return x;
    }
}

struct Moments {
    float mean, scale;  // scale: 1 / sqrt(variance + eps)
};

// Of `width` values that the warp's lanes read in turns; every lane gets them.
template <class Read>
__device__ Moments row_moments(int width, float eps, Read read) {
    float sum = 0;
    for (int d = lane_index(); d < width; d += kLanes) sum += read(d);
    const float mean = warp_sum(sum) / static_cast<float>(width);
    float squares = 0;
    for (int d = lane_index(); d < width; d += kLanes) {
        const float difference = read(d) - mean;
        squares += difference * difference;
    }
    const float variance = warp_sum(squares) / static_cast<float>(width);
    return {mean, 1.0F / sqrtf(variance + eps)};
}

template <class T>
__device__ T* halves(void* at) {
    return static_cast<T*>(at);
}
template <class T>
__device__ const T* halves(const void* at) {
    return static_cast<const T*>(at);
}

}  // namespace visavis::cuda
