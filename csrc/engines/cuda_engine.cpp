#include "engines/cuda_engine.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "engines/cpu/schedule.h"
#include "error.h"
#include "platform/library.h"
#include "text.h"
#include "version.h"

namespace visavis {
namespace {

#if defined(_WIN32)
constexpr const char* kLibrary = "visavis_cuda.dll";
#elif defined(__APPLE__)
constexpr const char* kLibrary = "libvisavis_cuda.dylib";
#else
constexpr const char* kLibrary = "libvisavis_cuda.so";
#endif

// VISAVIS_CUDA_LIBRARY, or beside this code, as an installation has it.
std::filesystem::path library_path() {
    if (const char* given = std::getenv("VISAVIS_CUDA_LIBRARY")) return given;
    const std::filesystem::path own = own_folder();
    for (const auto& folder : {own, own / "native"}) {
        std::error_code ignored;
        if (std::filesystem::exists(folder / kLibrary, ignored)) return folder / kLibrary;
    }
    throw Error(Status::kUnsupported, std::string("engine cuda: this installation is without ") + kLibrary +
                                          "; build it with VISAVIS_CUDA=on (docs/engines.md), or use engine cpu");
}

const CudaPlugin& load_plugin() {
    const std::filesystem::path path = library_path();
    using Find = const CudaPlugin* (*)();
    const CudaPlugin* plugin = reinterpret_cast<Find>(Library::open(path).find(kCudaPluginSymbol))();
    if (std::string(plugin->version) != version() || plugin->turn_bytes != kPluginTurnBytes) {
        throw Error(Status::kUnsupported, "engine cuda: " + quote(path.string()) + " is of release " + plugin->version +
                                              "; expected " + version() + ", built alike");
    }
    return *plugin;
}

template <class Call>
void call(Call function) {
    PluginError error;
    const int status = function(&error);
    if (status != static_cast<int>(Status::kOk)) throw Error(static_cast<Status>(status), error.text);
}

template <class Choice>
int number(const std::optional<Choice>& choice) {
    return choice ? static_cast<int>(*choice) : -1;
}

CudaPluginOptions plugin_options(const CudaEngineOptions& options) {
    CudaPluginOptions out;
    out.window = number(options.window);
    out.history = number(options.history);
    out.sampler = number(options.sampler);
    out.steps = options.steps.value_or(0);
    out.passes = options.passes;
    out.guidance_schedule = static_cast<int>(options.guidance_schedule);
    out.precision = options.precision;
    out.device = options.device;
    out.multiprocessors = options.multiprocessors;
    out.fuse = options.fuse ? 1 : 0;
    return out;
}

}  // namespace

CudaEngine::CudaEngine(const ModelFile& file, const CudaEngineOptions& options)
    : plugin_(&load_plugin()), config_(with_options(file.config(), options)), info_(file.info()) {
    info_.steps = config_.steps;
    info_.least_steps = cpu::least_steps(config_.sampler);
    const CudaPluginOptions plain = plugin_options(options);
    call([&](PluginError* error) {
        return plugin_->create(file.bytes().data(), file.bytes().size(), file.gguf().source().c_str(), &plain, &engine_,
                               &facts_, error);
    });
}

CudaEngine::~CudaEngine() { plugin_->destroy(engine_); }

int CudaEngine::open() {
    int slot = 0;
    call([&](PluginError* error) { return plugin_->open(engine_, &slot, error); });
    return slot;
}

void CudaEngine::close(int slot) {
    call([&](PluginError* error) { return plugin_->close(engine_, slot, error); });
}

void CudaEngine::reset(int slot) {
    call([&](PluginError* error) { return plugin_->reset(engine_, slot, error); });
}

void CudaEngine::prepare(int steps) {
    call([&](PluginError* error) { return plugin_->prepare(engine_, steps, error); });
}

void CudaEngine::set_own_motion(int slot, std::span<const float> motion) {
    call([&](PluginError* error) {
        return plugin_->set_own_motion(engine_, slot, motion.data(), motion.size(), error);
    });
}

void CudaEngine::step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) {
    if (inputs.size() != outputs.size()) {
        throw Error(Status::kInvalidArgument, "step: " + std::to_string(outputs.size()) + " outputs for " +
                                                  std::to_string(inputs.size()) + " inputs");
    }
    call([&](PluginError* error) {
        return plugin_->step(engine_, inputs.data(), outputs.data(), inputs.size(), error);
    });
}

}  // namespace visavis
