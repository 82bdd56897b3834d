#include "engines/cuda/plugin.h"

#include <cstdio>
#include <memory>
#include <optional>

#include "engines/cuda/gpu_engine.h"
#include "error.h"
#include "model_file/model_file.h"

#if defined(_WIN32)
#define VISAVIS_PLUGIN_EXPORT extern "C" __declspec(dllexport)
#else
#define VISAVIS_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace visavis {
namespace {

int say(PluginError* error, Status status, const char* what) {
    std::snprintf(error->text, sizeof error->text, "%s", what);
    return static_cast<int>(status);
}

// Every exception of the library ends here.
template <class Call>
int guarded(PluginError* error, Call call) noexcept {
    try {
        call();
        return static_cast<int>(Status::kOk);
    } catch (const Error& caught) {
        return say(error, caught.status(), caught.what());
    } catch (const std::bad_alloc&) {
        return say(error, Status::kOutOfMemory, "out of memory");
    } catch (const std::exception& caught) {
        return say(error, Status::kInternal, caught.what());
    } catch (...) {
        return say(error, Status::kInternal, "an exception of unknown type");
    }
}

cuda::GpuEngine& engine_of(void* engine) { return *static_cast<cuda::GpuEngine*>(engine); }

template <class Choice>
std::optional<Choice> chosen(int value) {
    if (value < 0) return std::nullopt;
    return static_cast<Choice>(value);
}

cuda::GpuOptions options_of(const CudaPluginOptions& given) {
    cuda::GpuOptions options;
    options.window = chosen<Window>(given.window);
    options.history = chosen<OwnPast>(given.history);
    options.sampler = chosen<Sampler>(given.sampler);
    if (given.steps != 0) options.steps = given.steps;
    options.passes = given.passes;
    options.guidance_schedule = static_cast<GuidanceSchedule>(given.guidance_schedule);
    options.precision = given.precision;
    options.device = given.device;
    options.multiprocessors = given.multiprocessors;
    options.fuse = given.fuse != 0;
    return options;
}

int create(const std::byte* model, std::size_t n_bytes, const char* source, const CudaPluginOptions* options,
           void** engine, CudaPluginFacts* facts, PluginError* error) {
    return guarded(error, [&] {
        const ModelFile file = ModelFile::parse({model, n_bytes}, source);
        auto made = std::make_unique<cuda::GpuEngine>(file, options_of(*options));
        facts->precision = made->half() == cuda::Half::kBf16 ? CudaPrecision::kBf16 : CudaPrecision::kF16;
        facts->capability = made->capability();
        facts->multiprocessors = made->multiprocessors();
        *engine = made.release();
    });
}

void destroy(void* engine) { delete static_cast<cuda::GpuEngine*>(engine); }

int open(void* engine, int* slot, PluginError* error) {
    return guarded(error, [&] { *slot = engine_of(engine).open(); });
}

int close(void* engine, int slot, PluginError* error) {
    return guarded(error, [&] { engine_of(engine).close(slot); });
}

int reset(void* engine, int slot, PluginError* error) {
    return guarded(error, [&] { engine_of(engine).reset(slot); });
}

int prepare(void* engine, int steps, PluginError* error) {
    return guarded(error, [&] { engine_of(engine).prepare(steps); });
}

int set_own_motion(void* engine, int slot, const float* motion, std::size_t n, PluginError* error) {
    return guarded(error, [&] { engine_of(engine).set_own_motion(slot, {motion, n}); });
}

int step(void* engine, const TurnInput* inputs, TurnOutput* outputs, std::size_t n, PluginError* error) {
    return guarded(error, [&] { engine_of(engine).step({inputs, n}, {outputs, n}); });
}

constexpr CudaPlugin kPlugin = {VISAVIS_VERSION, kPluginTurnBytes, create,         destroy, open, close,
                                reset,           prepare,          set_own_motion, step};

}  // namespace
}  // namespace visavis

VISAVIS_PLUGIN_EXPORT const visavis::CudaPlugin* vv_cuda_plugin(void);
const visavis::CudaPlugin* vv_cuda_plugin(void) { return &visavis::kPlugin; }
