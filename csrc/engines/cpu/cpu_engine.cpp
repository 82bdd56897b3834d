#include "engines/cpu/cpu_engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <string>

#include "constants.h"
#include "engines/check_turn.h"
#include "error.h"

namespace visavis {

using cpu::Branch;
using cpu::elements;
using cpu::Rows;
using cpu::Slot;
using Clock = std::chrono::steady_clock;

namespace {

std::int64_t ns_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

ModelConfig with_options(ModelConfig config, const CpuEngineOptions& options) {
    if (config.speech_encoder != SpeechEncoder::kLogmel) {
        throw Error(Status::kUnsupported,
                    "engine cpu: this model hears through wav2vec2, which it does not run; use engine torch");
    }
    const OwnPast trained = config.own_past;
    config.window = options.window.value_or(config.window);
    config.own_past = options.history.value_or(config.own_past);
    config.sampler = options.sampler.value_or(config.sampler);
    config.steps = options.steps.value_or(config.steps);
    if (config.own_past != trained && (config.own_past == OwnPast::kLagged || trained == OwnPast::kLagged)) {
        throw Error(Status::kUnsupported,
                    "history: a model trained with a lagged own past runs with that alone, and "
                    "no other model does; leave the option out");
    }
    cpu::check_steps(config.sampler, config.steps);
    check_config(config);
    return config;
}

// The share of its guidance that each frame gets: all of it, or with the linear schedule the share of the turn that is
// decoded once the frame's pass is done.  Passes decode left to right, TIMAR's cosine schedule.
std::vector<float> guidance_shares(const ModelConfig& config, const CpuEngineOptions& options) {
    const int frames = config.turn_frames, passes = options.passes;
    if (passes < 1 || passes > frames) {
        throw Error(Status::kInvalidArgument, "passes is " + std::to_string(passes) + "; expected 1 to " +
                                                  std::to_string(frames) + ", the frames of a turn");
    }
    std::vector<float> shares(elements(frames), 1.0F);
    if (options.guidance_schedule == GuidanceSchedule::kConstant || config.denoise_unit == DenoiseUnit::kTurn) {
        return shares;
    }
    for (int pass = 0, begin = 0; pass < passes; ++pass) {
        int hidden = 0;
        if (pass + 1 < passes) {
            const double angle = std::numbers::pi / 2 * (pass + 1) / passes;
            hidden = std::clamp(static_cast<int>(std::floor(frames * std::cos(angle))), 1, frames - begin - 1);
        }
        const float share = static_cast<float>(frames - hidden) / static_cast<float>(frames);
        for (; begin < frames - hidden; ++begin) shares[static_cast<std::size_t>(begin)] = share;
    }
    return shares;
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
    : kernels_(&cpu::choose_kernels()),
      config_(with_options(file.config(), options)),
      info_(file.info()),
      guidance_shares_(guidance_shares(config_, options)),
      normalisation_(cpu::TensorReader(file, *kernels_)),
      encoder_(cpu::TensorReader(file, *kernels_)),
      tokens_(cpu::TensorReader(file, *kernels_)),
      backbone_(cpu::TensorReader(file, *kernels_)),
      denoiser_(cpu::TensorReader(file, *kernels_), config_.sampler, normalisation_.mask()) {
    info_.steps = config_.steps;
    info_.least_steps = cpu::least_steps(config_.sampler);
    const int frames = config_.turn_frames;
    const int ahead = config_.agent_lookahead_frames * kSamplesPerFrame;
    audio_ = cpu::Buffer(elements(config_.context_samples() + config_.turn_samples() + ahead));
    features_ = cpu::Buffer(elements(frames, config_.speech_width));
    turn_ = cpu::Buffer(elements(config_.tokens_per_turn(), config_.width));
    z_ = cpu::Buffer(elements(frames, config_.width));
    unconditional_ = cpu::Buffer(elements(frames, config_.width));
    motion_ = cpu::Buffer(elements(frames, config_.n_channels));
    guidance_.resize(elements(frames));
}

// ---- slots

int CpuEngine::open() {
    const Busy busy(*this);
    const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
    const auto slot = free - slots_.begin();
    auto fresh = std::make_unique<Slot>(*kernels_, config_);
    if (free == slots_.end()) {
        slots_.push_back(std::move(fresh));
    } else {
        *free = std::move(fresh);
    }
    return static_cast<int>(slot);
}

void CpuEngine::close(int slot) {
    const Busy busy(*this);
    find(slot);
    slots_[static_cast<std::size_t>(slot)].reset();
}

void CpuEngine::reset(int slot) {
    const Busy busy(*this);
    find(slot).clear();
}

void CpuEngine::prepare(int steps) {
    const Busy busy(*this);
    cpu::check_steps(config_.sampler, steps);
    denoiser_.prepare(steps);
    noise_.resize(std::max(noise_.size(), noise_size(noise_request(steps))));
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
        if (input.steps != 0) cpu::check_steps(config_.sampler, input.steps);
    }
    check_turns(config_, inputs, outputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) run_turn(find(inputs[i].slot), inputs[i], outputs[i]);
}

void CpuEngine::run_turn(Slot& slot, const TurnInput& input, TurnOutput& output) {
    const int steps = input.steps == 0 ? config_.steps : input.steps;
    const auto start = Clock::now();
    hear(slot, input);
    const auto heard = Clock::now();
    see(slot, input);
    const auto seen = Clock::now();
    denoise(slot, input, steps);
    const auto denoised = Clock::now();
    std::copy_n(motion_.data(), motion_.size(), slot.own.data());
    commit(slot);
    normalisation_.denormalise(motion_.data(), output.motion.data(), config_.turn_frames);
    output.speech_ns = ns_between(start, heard);
    output.backbone_ns = ns_between(heard, seen) + ns_between(denoised, Clock::now());
    output.denoise_ns = ns_between(seen, denoised);
    output.steps = steps;
}

// Both voices to speech tokens.  Absent audio is silence; so is what is not known past the turn, for this turn only.
void CpuEngine::hear(Slot& slot, const TurnInput& input) {
    const std::size_t context = slot.user_tail.size(), turn = elements(config_.turn_samples());
    const Rows features{features_.data(), config_.turn_frames, config_.speech_width};
    const auto fill = [&](cpu::Buffer& tail, std::span<const float> samples) {
        audio_.clear();
        std::copy_n(tail.data(), context, audio_.data());
        std::copy(samples.begin(), samples.end(), audio_.data() + context);
        std::copy_n(audio_.data() + turn, context, tail.data());
    };
    fill(slot.user_tail, input.user_audio);
    encoder_.encode(audio_.data(), features);
    tokens_.set_user_speech(features);
    fill(slot.agent_tail, input.agent_audio);
    encoder_.encode(audio_.data() + elements(config_.agent_lookahead_frames, kSamplesPerFrame), features);
    tokens_.set_agent_speech(features);
}

// The backbone: the condition z of the turn and, with guidance, that without the user.
void CpuEngine::see(Slot& slot, const TurnInput& input) {
    prepare_window(slot);
    tokens_.set_user_motion(normalisation_, input.user_motion, input.user_motion_present);
    if (config_.own_past == OwnPast::kLagged) {
        tokens_.set_own_motion(slot.own.data());
    } else {
        tokens_.mask_own_motion();
    }
    const Rows turn{turn_.data(), config_.tokens_per_turn(), config_.width};
    if (input.guidance != 1) {
        tokens_.embed(Branch::kUnconditional, turn);
        backbone_.run(slot.history, place(slot), seen(slot), turn, unconditional_.data());
    }
    tokens_.embed(Branch::kConditional, turn);  // last: its keys and values are those that stay
    backbone_.run(slot.history, place(slot), seen(slot), turn, z_.data());
}

void CpuEngine::denoise(Slot& slot, const TurnInput& input, int steps) {
    for (std::size_t f = 0; f < guidance_.size(); ++f) guidance_[f] = 1 + (input.guidance - 1) * guidance_shares_[f];
    cpu::DenoiseRequest request;
    request.z = z_.data();
    request.unconditional = input.guidance != 1 ? unconditional_.data() : nullptr;
    request.own_before = slot.own.data();
    request.noise = noise_of(slot, input, steps).data();
    request.guidance = guidance_;
    request.temperature = input.temperature;
    request.steps = steps;
    denoiser_.run(request, motion_.data());
}

NoiseRequest CpuEngine::noise_request(int steps) const {
    NoiseRequest request;
    request.n_frames = config_.turn_frames;
    request.n_channels = config_.n_channels;
    request.n_steps = steps;
    request.coherence = info_.noise_coherence;
    return request;
}

std::span<const float> CpuEngine::noise_of(const Slot& slot, const TurnInput& input, int steps) {
    if (!input.noise.empty()) return input.noise;
    NoiseRequest request = noise_request(steps);
    request.seed = input.seed;
    request.first_frame = (input.turn < 0 ? slot.n_turns : input.turn) * config_.turn_frames;
    noise_.resize(std::max(noise_.size(), noise_size(request)));
    const std::span<float> values = std::span(noise_).first(noise_size(request));
    noise(request, values);
    return values;
}

// The turn becomes past: with the own past fed its tokens are encoded again, now with what was generated.
void CpuEngine::commit(Slot& slot) {
    const Rows turn{turn_.data(), config_.tokens_per_turn(), config_.width};
    if (config_.own_past == OwnPast::kFed) {
        tokens_.set_own_motion(slot.own.data());
        tokens_.embed(Branch::kConditional, turn);
        const bool slides = config_.window == Window::kExact && slot.n_cached + 1 == config_.context_turns;
        if (!slides) backbone_.run(slot.history, place(slot), seen(slot), turn, nullptr);
    }
    if (config_.window != Window::kRing) std::copy_n(turn_.data(), turn_.size(), embedded(slot, slot.n_turns));
    ++slot.n_turns;
    ++slot.n_cached;
}

// ---- windows

// With absolute positions a window that slides makes every key stale.  Exact: encode all past turns in sight anew.
// Amortised: when the window is full, encode its newer half anew at positions 0.. .
void CpuEngine::prepare_window(Slot& slot) {
    if (config_.window == Window::kRing || slot.n_cached < config_.context_turns) return;
    const int kept = config_.window == Window::kExact ? config_.context_turns - 1 : config_.context_turns / 2;
    re_encode(slot, slot.n_turns - kept, kept);
}

void CpuEngine::re_encode(Slot& slot, std::int64_t first_turn, int n_turns) {
    for (int i = 0; i < n_turns; ++i) {
        backbone_.run(slot.history, i, i + 1, {embedded(slot, first_turn + i), config_.width}, nullptr);
    }
    slot.n_cached = n_turns;
}

int CpuEngine::place(const Slot& slot) const {
    return config_.window == Window::kRing ? static_cast<int>(slot.n_turns % config_.context_turns) : slot.n_cached;
}

int CpuEngine::seen(const Slot& slot) const {
    if (config_.window != Window::kRing) return slot.n_cached + 1;
    return static_cast<int>(std::min<std::int64_t>(slot.n_turns + 1, config_.context_turns));
}

float* CpuEngine::embedded(Slot& slot, std::int64_t turn) const {
    return slot.embedded.data() + elements(turn % config_.context_turns, config_.tokens_per_turn(), config_.width);
}

}  // namespace visavis
