// The door between libvisavis and libvisavis_cuda, which it loads when engine "cuda" is asked for.  Plain functions: no
// exception and no object of the C++ library passes.  Both sides are of the same release, or the door stays shut.
#pragma once
#include <cstddef>
#include <cstdint>

#include "engines/engine.h"

namespace visavis {

// What products are made of; auto: bf16 from compute capability 8.0 on, else f16.
enum class CudaPrecision { kAuto, kBf16, kF16 };

// 0, and -1 for choices: as the model file says.
struct CudaPluginOptions {
    int window = -1, history = -1, sampler = -1;
    int steps = 0, passes = 1, guidance_schedule = 0;
    CudaPrecision precision = CudaPrecision::kAuto;
    int device = 0, multiprocessors = 0;
    int fuse = 1;
};

// What came of them.
struct CudaPluginFacts {
    CudaPrecision precision = CudaPrecision::kBf16;
    int capability = 0;  // 86: compute capability 8.6
    int multiprocessors = 0;
};

// A text for what went wrong; functions return a Status.
struct PluginError {
    char text[1024] = "";
};

struct CudaPlugin {
    const char* version;     // of the release
    std::size_t turn_bytes;  // of a TurnInput and a TurnOutput: the same compiler's idea of them
    int (*create)(const std::byte* model, std::size_t n_bytes, const char* source, const CudaPluginOptions* options,
                  void** engine, CudaPluginFacts* facts, PluginError* error);
    void (*destroy)(void* engine);
    int (*open)(void* engine, int* slot, PluginError* error);
    int (*close)(void* engine, int slot, PluginError* error);
    int (*reset)(void* engine, int slot, PluginError* error);
    int (*prepare)(void* engine, int steps, PluginError* error);
    int (*set_own_motion)(void* engine, int slot, const float* motion, std::size_t n, PluginError* error);
    int (*step)(void* engine, const TurnInput* inputs, TurnOutput* outputs, std::size_t n, PluginError* error);
};

inline constexpr std::size_t kPluginTurnBytes = sizeof(TurnInput) * 1000 + sizeof(TurnOutput);
inline constexpr const char* kCudaPluginSymbol = "vv_cuda_plugin";

}  // namespace visavis
