#include "engines/cpu/cpu_engine.h"

#include <algorithm>
#include <string>

#include "constants.h"
#include "engines/check_turn.h"
#include "error.h"

namespace visavis {

using cpu::elements;
using cpu::Slot;
using cpu::TurnGroup;

namespace {

cpu::Format format_of(cpu::Precision precision) {
    if (precision == cpu::Precision::kInt8) return cpu::Format::kInt8;
    return precision == cpu::Precision::kBf16 ? cpu::Format::kBf16 : cpu::Format::kF32;
}

int check_threads(int threads) {
    if (threads >= 1 && threads <= kMaxThreads) return threads;
    throw Error(Status::kInvalidArgument,
                "threads is " + std::to_string(threads) + "; expected 1 to " + std::to_string(kMaxThreads));
}

}  // namespace

class CpuEngine::Busy {
  public:
    explicit Busy(CpuEngine& engine) : flag_(engine.busy_) {
        if (flag_.test_and_set(std::memory_order_acquire)) {
            throw Error(Status::kState, "engine cpu: called from two threads at once; expected one caller at a time");
        }
    }
    ~Busy() { flag_.clear(std::memory_order_release); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

  private:
    std::atomic_flag& flag_;
};

CpuEngine::CpuEngine(const ModelFile& file, const CpuEngineOptions& options)
    : precision_(options.precision),
      kernels_(&cpu::choose_kernels(precision_)),
      network_(cpu::TensorReader(file, *kernels_, format_of(precision_)), with_options(file.config(), options),
               guidance_shares(with_options(file.config(), options), options)),
      info_(file.info()),
      history_format_(cpu::finer(*kernels_, format_of(precision_))),
      shares_turns_(options.threads > 1 && options.share_each_turn.value_or(TurnGroup::is_large(config()))),
      crew_(check_threads(options.threads)) {
    info_.steps = config().steps;
    info_.least_steps = cpu::least_steps(config().sampler);
    if (shares_turns_) {
        members_.emplace_back(network_, *kernels_, &crew_);
    } else {
        for (int i = 0; i < crew_.size(); ++i) members_.emplace_back(network_, *kernels_);
    }
    silence_ = members_.front().silence();
    prepare_steps(config().steps);
}

// ---- slots

int CpuEngine::open() {
    const Busy busy(*this);
    const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
    const auto slot = free - slots_.begin();
    auto fresh = std::make_unique<Slot>(*kernels_, history_format_, config(), silence_);
    if (free == slots_.end()) {
        slots_.push_back(std::move(fresh));
    } else {
        *free = std::move(fresh);
    }
    turns_.reserve(slots_.size());
    groups_.reserve(slots_.size());
    return static_cast<int>(slot);
}

void CpuEngine::close(int slot) {
    const Busy busy(*this);
    find(slot);
    slots_[static_cast<std::size_t>(slot)].reset();
}

void CpuEngine::reset(int slot) {
    const Busy busy(*this);
    find(slot).clear(silence_);
}

void CpuEngine::prepare(int steps) {
    const Busy busy(*this);
    cpu::check_steps(config().sampler, steps);
    prepare_steps(steps);
}

void CpuEngine::set_own_motion(int slot, std::span<const float> motion) {
    const Busy busy(*this);
    Slot& found = find(slot);
    if (motion.size() != found.own.size()) {
        throw Error(Status::kInvalidArgument, "own motion has " + std::to_string(motion.size()) + " values; expected " +
                                                  std::to_string(found.own.size()) + " (frames x channels)");
    }
    network_.normalisation.normalise(motion.data(), found.own.data(), config().turn_frames);
}

void CpuEngine::prepare_steps(int steps) {
    network_.denoiser.prepare(members_.front().compute(), steps);
    for (TurnGroup& member : members_) member.prepare(steps);
}

Slot& CpuEngine::find(int slot) {
    if (slot < 0 || static_cast<std::size_t>(slot) >= slots_.size() || !slots_[static_cast<std::size_t>(slot)]) {
        std::string open;
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (slots_[i]) open += (open.empty() ? "" : ", ") + std::to_string(i);
        }
        throw Error(Status::kInvalidArgument,
                    "slot " + std::to_string(slot) + " is not open; open ones: " + (open.empty() ? "none" : open));
    }
    return *slots_[static_cast<std::size_t>(slot)];
}

// ---- turns

void CpuEngine::step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) {
    const Busy busy(*this);
    for (const TurnInput& input : inputs) {
        find(input.slot);
        if (input.steps != 0) cpu::check_steps(config().sampler, input.steps);
    }
    check_turns(config(), inputs, outputs);
    if (inputs.empty()) return;
    turns_.clear();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const int steps = inputs[i].steps == 0 ? config().steps : inputs[i].steps;
        turns_.push_back({&find(inputs[i].slot), &inputs[i], &outputs[i], steps});
        prepare_steps(steps);
    }
    form_groups();
    if (shares_turns_) {
        for (const std::span<const cpu::Turn> group : groups_) members_.front().run(group);
        return;
    }
    crew_.run(static_cast<int>(groups_.size()), [this](int member, int task) {
        members_[static_cast<std::size_t>(member)].run(groups_[static_cast<std::size_t>(task)]);
    });
}

// Successive turns that go with one another, so few that every thread gets some.
void CpuEngine::form_groups() {
    const std::size_t threads = members_.size();
    const std::size_t most = static_cast<std::size_t>(TurnGroup::most_turns(config()));
    const std::size_t size = std::min(most, (turns_.size() + threads - 1) / threads);
    groups_.clear();
    for (std::size_t begin = 0, end = 0; begin < turns_.size(); begin = end) {
        while (end < turns_.size() && end - begin < size && turns_[end].goes_with(turns_[begin])) ++end;
        groups_.push_back(std::span(turns_).subspan(begin, end - begin));
    }
}

}  // namespace visavis
