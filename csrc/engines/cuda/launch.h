// How kernels are started: every one takes one struct and walks over its items in strides of the grid, so that a grid
// may be as small as the engine's share of the GPU.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>

namespace visavis::cuda {

// Throws Error for anything but success, with what was being done: kOutOfMemory, kUnsupported (no GPU, old driver),
// kInternal.
void check(cudaError_t error, const char* what);

struct Launcher {
    cudaStream_t stream = nullptr;
    int multiprocessors = 1;  // that kernels may fill at once
};

// Blocks of that kernel that can be on the launcher's multiprocessors at once.
inline int most_blocks(const Launcher& launcher, const void* kernel, int n_threads, std::size_t shared_bytes) {
    int per_multiprocessor = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_multiprocessor, kernel, n_threads, shared_bytes),
          "occupancy");
    return std::max(per_multiprocessor, 1) * launcher.multiprocessors;
}

// Shared memory beyond 48 KiB must be asked for once per kernel.
inline void allow_shared(const void* kernel, std::size_t bytes) {
    constexpr std::size_t kWithoutAsking = 48 * 1024;
    if (bytes <= kWithoutAsking) return;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "shared memory");
}

struct Shape {
    int n_items = 1;  // blocks, if there is room for all
    int n_threads = 256;
    std::size_t shared_bytes = 0;
    bool cooperative = false;  // the whole grid at once
};

template <class Params>
void launch(const Launcher& launcher, void (*kernel)(Params), const Params& params, const Shape& shape) {
    const auto* symbol = reinterpret_cast<const void*>(kernel);
    allow_shared(symbol, shape.shared_bytes);
    cudaLaunchAttribute cooperative;
    cooperative.id = cudaLaunchAttributeCooperative;
    cooperative.val.cooperative = 1;
    cudaLaunchConfig_t config{};
    const int blocks = std::min(shape.n_items, most_blocks(launcher, symbol, shape.n_threads, shape.shared_bytes));
    config.gridDim = dim3{static_cast<unsigned>(std::max(blocks, 1)), 1, 1};
    config.blockDim = dim3{static_cast<unsigned>(shape.n_threads), 1, 1};
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = launcher.stream;
    config.attrs = &cooperative;
    config.numAttrs = shape.cooperative ? 1 : 0;
    check(cudaLaunchKernelEx(&config, kernel, params), "launch");
}

}  // namespace visavis::cuda
