// The native CPU engine.  No allocation in step() after the first turns.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "engines/cpu/crew.h"
#include "engines/cpu/turn_group.h"
#include "engines/engine.h"
#include "engines/options.h"

namespace visavis {

struct CpuEngineOptions : EngineOptions {
    cpu::Precision precision = cpu::Precision::kF32;
    int threads = 1;                      // that share a step's turns, the caller's included
    std::optional<bool> share_each_turn;  // among the threads; nothing: where the model is large
};

inline constexpr int kMaxThreads = 256;

class CpuEngine final : public Engine {
  public:
    // Copies the weights out of the file, which may then be closed.
    explicit CpuEngine(const ModelFile& file, const CpuEngineOptions& options = {});

    const ModelInfo& info() const override { return info_; }
    const ModelConfig& config() const { return network_.config; }  // with the options in force
    const char* isa() const { return kernels_->name; }
    cpu::Precision precision() const { return precision_; }  // f32, bf16 or int8
    int threads() const { return crew_.size(); }
    int open() override;
    void close(int slot) override;
    void reset(int slot) override;
    void prepare(int steps) override;
    // Replaces what the slot's last turn gave, (F, C) raw: what the next turn takes for its own past.
    void set_own_motion(int slot, std::span<const float> motion);
    void step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) override;

  private:
    class Busy;  // refuses a second caller instead of letting two of them race
    cpu::Slot& find(int slot);
    void prepare_steps(int steps);
    void form_groups();

    cpu::Precision precision_;  // in this order: the choice of kernels settles it
    const cpu::Kernels* kernels_;
    cpu::Network network_;
    ModelInfo info_;
    cpu::Format history_format_;
    std::vector<cpu::TurnGroup> members_;  // one for each thread, or one that all threads share
    cpu::Buffer silence_;
    std::vector<std::unique_ptr<cpu::Slot>> slots_;  // null: not open
    std::vector<cpu::Turn> turns_;                   // of the step
    std::vector<std::span<const cpu::Turn>> groups_;
    std::atomic_flag busy_;
    bool shares_turns_;
    cpu::Crew crew_;  // last: its threads use the rest
};

}  // namespace visavis
