#include "engines/cuda/memory.h"

#include <algorithm>
#include <string>

namespace visavis::cuda {

DeviceBlock device_block(std::size_t n_bytes) {
    void* memory = nullptr;
    const cudaError_t made = cudaMalloc(&memory, std::max<std::size_t>(n_bytes, 1));
    if (made == cudaErrorMemoryAllocation) {
        std::size_t free = 0, all = 0;
        cudaMemGetInfo(&free, &all);
        const auto mib = [](std::size_t n) { return std::to_string(n >> 20) + " MiB"; };
        check(made,
              ("memory of the GPU, " + mib(n_bytes) + " of which " + mib(free) + " are free (all: " + mib(all) + ")")
                  .c_str());
    }
    check(made, "memory of the GPU");
    return DeviceBlock(memory);
}

PinnedBlock pinned_block(std::size_t n_bytes) {
    void* memory = nullptr;
    check(cudaMallocHost(&memory, std::max<std::size_t>(n_bytes, 1)), "pinned memory");
    return PinnedBlock(memory);
}

void* Arena::take(std::size_t n_bytes) {
    constexpr std::size_t kAlignment = 256;
    n_bytes = (std::max<std::size_t>(n_bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    if (used_ + n_bytes > room_) {
        room_ = std::max(piece_bytes_, n_bytes);
        pieces_.push_back(device_block(room_));
        used_ = 0;
    }
    void* memory = static_cast<char*>(pieces_.back().get()) + used_;
    used_ += n_bytes;
    taken_ += n_bytes;
    return memory;
}

// The values may be gone after the call, and they are not pinned: wait.
void Arena::copy(void* to, const void* from, std::size_t n_bytes) const {
    check(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice, stream_), "copy to the GPU");
    check(cudaStreamSynchronize(stream_), "copy to the GPU");
}

}  // namespace visavis::cuda
