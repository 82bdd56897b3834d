// The native CPU engine: float32, one thread (the caller's), no allocation in step() after the first turns.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "engines/cpu/backbone.h"
#include "engines/cpu/denoiser.h"
#include "engines/cpu/log_mel_encoder.h"
#include "engines/cpu/slot.h"
#include "engines/cpu/turn_tokens.h"
#include "engines/engine.h"
#include "session/noise.h"

namespace visavis {

enum class GuidanceSchedule { kConstant, kLinear };

// What load_engine may ask for; nothing: as the model file says.
struct CpuEngineOptions {
    std::optional<Window> window;
    std::optional<OwnPast> history;
    std::optional<Sampler> sampler;
    std::optional<int> steps;
    int passes = 1;  // of masked decoding, frame unit; matters with linear guidance alone
    GuidanceSchedule guidance_schedule = GuidanceSchedule::kConstant;
};

class CpuEngine final : public Engine {
  public:
    // Copies the weights out of the file, which may then be closed.
    explicit CpuEngine(const ModelFile& file, const CpuEngineOptions& options = {});

    const ModelInfo& info() const override { return info_; }
    const ModelConfig& config() const { return config_; }  // with the options in force
    const char* isa() const { return kernels_->name; }
    int open() override;
    void close(int slot) override;
    void reset(int slot) override;
    void prepare(int steps) override;
    void step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) override;

  private:
    class Busy;  // refuses a second caller instead of letting two of them race
    cpu::Slot& find(int slot);
    void run_turn(cpu::Slot& slot, const TurnInput& input, TurnOutput& output);
    void hear(cpu::Slot& slot, const TurnInput& input);
    void see(cpu::Slot& slot, const TurnInput& input);
    void denoise(cpu::Slot& slot, const TurnInput& input, int steps);
    void commit(cpu::Slot& slot);
    void prepare_window(cpu::Slot& slot);
    void re_encode(cpu::Slot& slot, std::int64_t first_turn, int n_turns);
    int place(const cpu::Slot& slot) const;
    int seen(const cpu::Slot& slot) const;
    float* embedded(cpu::Slot& slot, std::int64_t turn) const;
    NoiseRequest noise_request(int steps) const;
    std::span<const float> noise_of(const cpu::Slot& slot, const TurnInput& input, int steps);

    const cpu::Kernels* kernels_;
    ModelConfig config_;
    ModelInfo info_;
    std::vector<float> guidance_shares_;  // (F) of a frame's guidance, by the pass that decodes it
    cpu::Normalisation normalisation_;
    cpu::LogMelEncoder encoder_;
    cpu::TurnTokens tokens_;
    cpu::Backbone backbone_;
    cpu::Denoiser denoiser_;
    std::vector<std::unique_ptr<cpu::Slot>> slots_;  // null: not open
    cpu::Buffer audio_, features_, turn_, z_, unconditional_, motion_;
    std::vector<float> noise_, guidance_;
    std::atomic_flag busy_;
};

}  // namespace visavis
