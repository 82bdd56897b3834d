#include "cuda_runtime.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

struct EmulatedGraph {
    std::vector<std::function<cudaError_t()>> nodes;
};
struct EmulatedStream {
    std::unique_ptr<EmulatedGraph> capture;
};
struct EmulatedEvent {
    std::chrono::steady_clock::time_point time;
    bool recorded = false, timed = true;
};

namespace {

constexpr std::size_t kSharedWithoutAsking = 48 * 1024;
constexpr int kRuntimeVersion = 13000;

struct State {
    std::mutex mutex;
    std::map<void*, std::size_t> blocks;
    std::size_t used = 0;
    std::map<const void*, int> shared_limits;
};
State& state() {
    static State found;
    return found;
}

// As a stream does it: now, or with every replay of the graph that is being captured.
cudaError_t submit(cudaStream_t stream, std::function<cudaError_t()> work) {
    if (!stream) return cudaErrorInvalidValue;  // Visavis has a stream of its own everywhere
    if (!stream->capture) return work();
    stream->capture->nodes.push_back(std::move(work));
    return cudaSuccess;
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess: return "cudaSuccess";
        case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
        case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
        case cudaErrorDevicesUnavailable: return "cudaErrorDevicesUnavailable";
        case cudaErrorNoDevice: return "cudaErrorNoDevice";
        case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
        case cudaErrorNoKernelImageForDevice: return "cudaErrorNoKernelImageForDevice";
        case cudaErrorUnsupportedPtxVersion: return "cudaErrorUnsupportedPtxVersion";
        case cudaErrorNotReady: return "cudaErrorNotReady";
        case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
        case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
        case cudaErrorCooperativeLaunchTooLarge: return "cudaErrorCooperativeLaunchTooLarge";
        case cudaErrorSystemDriverMismatch: return "cudaErrorSystemDriverMismatch";
    }
    return "unknown";
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }
cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceCount(int* count) {
    *count = emulator::device().n_devices;
    if (emulator::device().driver < kRuntimeVersion) return cudaErrorInsufficientDriver;
    return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
    return device >= 0 && device < emulator::device().n_devices ? cudaSuccess : cudaErrorInvalidDevice;
}
cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    const emulator::Device& device = emulator::device();
    switch (attribute) {
        case cudaDevAttrMultiProcessorCount: *value = device.multiprocessors; break;
        case cudaDevAttrComputeCapabilityMajor: *value = device.capability / 10; break;
        case cudaDevAttrComputeCapabilityMinor: *value = device.capability % 10; break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(device.shared_bytes()); break;
        case cudaDevAttrCooperativeLaunch: *value = 1; break;
    }
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
    *version = emulator::device().driver;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = kRuntimeVersion;
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *total = emulator::device().memory;
    *free = *total - std::min(*total, state().used);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t size) {
    State& s = state();
    const std::lock_guard lock(s.mutex);
    if (s.used + size > emulator::device().memory) return cudaErrorMemoryAllocation;
    void* block = nullptr;
    if (posix_memalign(&block, 256, size ? size : 1) != 0) return cudaErrorMemoryAllocation;
    std::memset(block, 0xFF, size);
    s.blocks[block] = size;
    s.used += size;
    *memory = block;
    return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
    if (!memory) return cudaSuccess;
    State& s = state();
    const std::lock_guard lock(s.mutex);
    const auto found = s.blocks.find(memory);
    if (found == s.blocks.end()) return cudaErrorInvalidValue;
    s.used -= found->second;
    s.blocks.erase(found);
    std::free(memory);
    return cudaSuccess;
}
cudaError_t cudaMallocHost(void** memory, std::size_t size) {
    *memory = std::malloc(size ? size : 1);
    if (!*memory) return cudaErrorMemoryAllocation;
    std::memset(*memory, 0xFF, size);
    return cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
    std::free(memory);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
    *stream = new EmulatedStream;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size, cudaMemcpyKind, cudaStream_t stream) {
    return submit(stream, [=] {
        std::memcpy(to, from, size);
        return cudaSuccess;
    });
}
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t size, cudaStream_t stream) {
    return submit(stream, [=] {
        std::memset(memory, value, size);
        return cudaSuccess;
    });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
    *event = new EmulatedEvent;
    (*event)->timed = (flags & cudaEventDisableTiming) == 0;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
    // Inside a capture an event that the host is to read must be recorded as an external one.
    if (stream && stream->capture && flags != cudaEventRecordExternal) return cudaErrorInvalidValue;
    return submit(stream, [=] {
        event->time = std::chrono::steady_clock::now();
        event->recorded = true;
        return cudaSuccess;
    });
}
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
    if (!from->recorded || !to->recorded || !from->timed || !to->timed) return cudaErrorInvalidValue;
    *ms = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    if (stream->capture) return cudaErrorInvalidValue;
    stream->capture = std::make_unique<EmulatedGraph>();
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    if (!stream->capture) return cudaErrorInvalidValue;
    *graph = stream->capture.release();
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    *executable = new EmulatedGraph(*graph);
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    delete executable;
    return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void*, std::size_t* count) {
    *count = graph->nodes.size();
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    if (stream->capture) return cudaErrorInvalidValue;
    for (const auto& node : executable->nodes) {
        if (const cudaError_t error = node(); error != cudaSuccess) return error;
    }
    return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
    if (value < 0 || static_cast<std::size_t>(value) > emulator::device().shared_bytes()) return cudaErrorInvalidValue;
    const std::lock_guard lock(state().mutex);
    state().shared_limits[kernel] = value;
    return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* count, const void*, int, std::size_t shared_bytes) {
    *count = shared_bytes > emulator::device().shared_bytes() ? 0 : 1;
    return emulator::device().built_for == 0 ? cudaErrorNoKernelImageForDevice : cudaSuccess;
}

cudaError_t emulated_launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
    emulator::Launch launch;
    launch.n_blocks = static_cast<int>(config.gridDim.x);
    launch.n_threads = static_cast<int>(config.blockDim.x);
    launch.shared_bytes = config.dynamicSmemBytes;
    for (unsigned i = 0; i < config.numAttrs; ++i) launch.cooperative = config.attrs[i].val.cooperative != 0;
    std::size_t limit = kSharedWithoutAsking;
    {
        const std::lock_guard lock(state().mutex);
        const auto found = state().shared_limits.find(kernel);
        if (found != state().shared_limits.end()) limit = std::max(limit, static_cast<std::size_t>(found->second));
    }
    if (launch.shared_bytes > limit || config.gridDim.y != 1 || config.gridDim.z != 1) return cudaErrorInvalidValue;
    if (launch.cooperative && launch.n_blocks > emulator::device().multiprocessors) {
        return cudaErrorCooperativeLaunchTooLarge;
    }
    return submit(config.stream, [launch, body = std::move(body)] {
        try {
            emulator::run(launch, body);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            return cudaErrorLaunchFailure;
        }
        return cudaSuccess;
    });
}
