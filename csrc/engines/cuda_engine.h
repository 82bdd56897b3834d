// Engine "cuda": finds libvisavis_cuda, which has it, when it is asked for, and passes every call on.
#pragma once
#include "engines/cuda/plugin.h"
#include "engines/options.h"
#include "model_file/model_file.h"

namespace visavis {

struct CudaEngineOptions : EngineOptions {
    CudaPrecision precision = CudaPrecision::kAuto;
    int device = 0;
    int multiprocessors = 0;  // that the engine may fill at once, so that others find room beside it; 0: all
    bool fuse = true;         // few rows of the head in one launch
};

class CudaEngine final : public Engine {
  public:
    // Throws Error(kUnsupported) without the library, a GPU or a driver, with the remedy.
    explicit CudaEngine(const ModelFile& file, const CudaEngineOptions& options = {});
    ~CudaEngine() override;
    CudaEngine(const CudaEngine&) = delete;
    CudaEngine& operator=(const CudaEngine&) = delete;

    const ModelInfo& info() const override { return info_; }
    const ModelConfig& config() const { return config_; }  // with the options in force
    const CudaPluginFacts& facts() const { return facts_; }
    int open() override;
    void close(int slot) override;
    void reset(int slot) override;
    void prepare(int steps) override;
    void set_own_motion(int slot, std::span<const float> motion);
    void step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) override;

  private:
    const CudaPlugin* plugin_;
    ModelConfig config_;
    ModelInfo info_;
    CudaPluginFacts facts_;
    void* engine_ = nullptr;
};

}  // namespace visavis
