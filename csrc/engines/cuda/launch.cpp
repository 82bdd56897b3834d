#include "engines/cuda/launch.h"

#include <string>

#include "error.h"

namespace visavis::cuda {
namespace {

Status status_of(cudaError_t error) {
    switch (error) {
        case cudaErrorMemoryAllocation: return Status::kOutOfMemory;
        case cudaErrorNoDevice:
        case cudaErrorDevicesUnavailable:
        case cudaErrorInsufficientDriver:
        case cudaErrorSystemDriverMismatch:
        case cudaErrorNoKernelImageForDevice:
        case cudaErrorUnsupportedPtxVersion: return Status::kUnsupported;
        default: return Status::kInternal;
    }
}

const char* remedy(cudaError_t error) {
    switch (error) {
        case cudaErrorMemoryAllocation: return "; fewer sessions, a smaller model, or engine cpu";
        case cudaErrorNoDevice: return "; no NVIDIA GPU is visible: use engine cpu";
        case cudaErrorDevicesUnavailable: return "; another program has the GPU for itself: end it, or use engine cpu";
        case cudaErrorUnsupportedPtxVersion:
        case cudaErrorInsufficientDriver: return "; install a newer NVIDIA driver, or use engine cpu";
        case cudaErrorSystemDriverMismatch: return "; restart the machine: its driver was exchanged, or use engine cpu";
        case cudaErrorNoKernelImageForDevice:
            return "; this libvisavis_cuda was built for other GPUs: build it with CMAKE_CUDA_ARCHITECTURES=native, or "
                   "use engine cpu";
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchFailure: return "; what this program has on the GPU is lost: restart it";
        default: return "";
    }
}

}  // namespace

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // an error that is not sticky is over with this
    throw Error(status_of(error), std::string("engine cuda: ") + what + ": " + cudaGetErrorName(error) + " (" +
                                      cudaGetErrorString(error) + ")" + remedy(error));
}

}  // namespace visavis::cuda
