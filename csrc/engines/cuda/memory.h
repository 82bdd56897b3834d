// Owners of what the CUDA runtime gives: memory of the device, pinned memory of the host, streams, events, graphs.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engines/cuda/launch.h"

namespace visavis::cuda {

// Owner of a handle that `destroy` gives back.
template <class Handle, auto destroy>
class Owner {
  public:
    Owner() = default;
    explicit Owner(Handle handle) : handle_(handle) {}
    Owner(Owner&& other) noexcept : handle_(std::exchange(other.handle_, Handle{})) {}
    Owner& operator=(Owner&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Owner() {
        if (handle_) destroy(handle_);
    }
    Handle get() const { return handle_; }
    explicit operator bool() const { return handle_ != Handle{}; }

  private:
    Handle handle_{};
};

using Stream = Owner<cudaStream_t, cudaStreamDestroy>;
using Event = Owner<cudaEvent_t, cudaEventDestroy>;
using Graph = Owner<cudaGraphExec_t, cudaGraphExecDestroy>;
using DeviceBlock = Owner<void*, cudaFree>;
using PinnedBlock = Owner<void*, cudaFreeHost>;

DeviceBlock device_block(std::size_t n_bytes);  // not cleared
PinnedBlock pinned_block(std::size_t n_bytes);

// Device memory in large pieces, given out front to back and back all at once.  What it gives is 256-byte aligned.
class Arena {
  public:
    explicit Arena(cudaStream_t stream, std::size_t piece_bytes = std::size_t{32} << 20)
        : stream_(stream), piece_bytes_(piece_bytes) {}

    void* take(std::size_t n_bytes);
    template <class T>
    T* take_of(std::int64_t n) {
        return static_cast<T*>(take(static_cast<std::size_t>(n) * sizeof(T)));
    }
    // The same, all zeros.
    template <class T>
    T* zeros(std::int64_t n) {
        T* memory = take_of<T>(n);
        check(cudaMemsetAsync(memory, 0, static_cast<std::size_t>(n) * sizeof(T), stream_), "clearing");
        return memory;
    }
    // A copy of the values, complete when this returns.
    template <class T>
    T* upload(const std::vector<T>& values) {
        T* memory = take_of<T>(static_cast<std::int64_t>(values.size()));
        copy(memory, values.data(), values.size() * sizeof(T));
        return memory;
    }
    std::size_t n_bytes() const { return taken_; }

  private:
    void copy(void* to, const void* from, std::size_t n_bytes) const;

    cudaStream_t stream_;
    std::size_t piece_bytes_, used_ = 0, room_ = 0, taken_ = 0;
    std::vector<DeviceBlock> pieces_;
};

// Records what `work` starts on the stream, to be started again and again.
template <class Work>
Graph record(cudaStream_t stream, Work work) {
    // Relaxed: the first launch of a kernel may load it, and with that allocate.
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "recording a graph");
    cudaGraph_t graph = nullptr;
    try {
        work();
    } catch (...) {
        if (cudaStreamEndCapture(stream, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
        cudaGetLastError();
        throw;
    }
    check(cudaStreamEndCapture(stream, &graph), "recording a graph");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t made = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check(made, "making a graph");
    Graph owner(executable);
    check(cudaGraphUpload(executable, stream), "uploading a graph");
    return owner;
}

}  // namespace visavis::cuda
