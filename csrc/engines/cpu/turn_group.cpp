#include "engines/cpu/turn_group.h"

#include <algorithm>
#include <chrono>

#include "session/noise.h"

namespace visavis::cpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostTokens = 120;  // of the turns together: what lies between layers stays in the second-level cache
constexpr int kMostTurns = 12;
constexpr int kMostReEncoded = 440;    // tokens of a session's turns that are encoded anew at once
constexpr double kLargeProduct = 1e8;  // operations of a turn's largest product: half a millisecond of one core

std::int64_t ns_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

NoiseRequest noise_request(const ModelConfig& config, int steps) {
    NoiseRequest request;
    request.n_frames = config.turn_frames;
    request.n_channels = config.n_channels;
    request.n_steps = steps;
    request.coherence = static_cast<float>(config.noise_coherence);
    return request;
}

}  // namespace

int TurnGroup::most_turns(const ModelConfig& config) {
    return std::clamp(kMostTokens / config.tokens_per_turn(), 1, kMostTurns);
}

bool TurnGroup::is_large(const ModelConfig& config) {
    return 2.0 * config.tokens_per_turn() * config.width * config.mlp_ratio * config.width >= kLargeProduct;
}

// Turns that go through the backbone at once: others' or, where windows slide, a session's own of the past.
int TurnGroup::most_encoded(const ModelConfig& config) {
    if (config.window == Window::kRing) return most_turns(config);
    return std::max(most_turns(config), std::min(config.context_turns, kMostReEncoded / config.tokens_per_turn()));
}

TurnGroup::TurnGroup(const Network& network, const Kernels& kernels, Crew* crew)
    : network_(&network),
      compute_(kernels, crew),
      tokens_(network.tokens.scratch(compute_, most_turns(network.config))),
      backbone_(network.backbone.scratch(compute_, most_encoded(network.config))),
      denoiser_(network.denoiser.scratch(compute_, most_turns(network.config))) {
    const int n_turns = most_turns(config()), frames = n_turns * config().turn_frames;
    if (network.log_mel) log_mel_ = network.log_mel->scratch(compute_, n_turns);
    if (network.wav2vec2) wav2vec2_ = network.wav2vec2->scratch(compute_, 2 * n_turns);
    features_ = Buffer(elements(2, frames, config().speech_width));
    embedded_ = Buffer(elements(n_turns, config().tokens_per_turn(), config().width));
    z_ = Buffer(elements(frames, config().width));
    unconditional_ = Buffer(elements(frames, config().width));
    own_ = Buffer(elements(frames, config().n_channels));
    motion_ = Buffer(elements(frames, config().n_channels));
    guidance_.resize(elements(frames));
    voices_.reserve(elements(2, n_turns));
    user_motions_.reserve(elements(n_turns));
    backbone_turns_.reserve(elements(most_encoded(config())));
    denoise_turns_.reserve(elements(n_turns));
}

void TurnGroup::prepare(int steps) {
    network_->denoiser.prepare(compute_, denoiser_, steps);
    const int noise_steps = network_->denoiser.noise_steps(steps);
    const std::size_t size = elements(most_turns(config())) * noise_size(noise_request(config(), noise_steps));
    noise_.resize(std::max(noise_.size(), size));
}

void TurnGroup::run(std::span<const Turn> turns) {
    const auto start = Clock::now();
    hear(turns);
    const auto heard = Clock::now();
    see(turns);
    const auto seen = Clock::now();
    denoise(turns);
    const auto denoised = Clock::now();
    finish(turns);
    commit(turns);
    const auto n = static_cast<std::int64_t>(turns.size());  // each turn gets its share of the time
    for (const Turn& turn : turns) {
        turn.output->speech_ns = ns_between(start, heard) / n;
        turn.output->backbone_ns = (ns_between(heard, seen) + ns_between(denoised, Clock::now())) / n;
        turn.output->denoise_ns = ns_between(seen, denoised) / n;
        turn.output->steps = turn.steps;
    }
}

// Both voices to speech tokens.  Absent audio is silence; so is what is not known past the turn, for this turn only.
void TurnGroup::hear(std::span<const Turn> turns) {
    const int n_turns = static_cast<int>(turns.size()), frames = n_turns * config().turn_frames;
    const Rows users{features_.data(), frames, config().speech_width};
    const Rows agents{users.row(frames), frames, users.stride};
    voices_.clear();
    for (const Turn& turn : turns) voices_.push_back({turn.slot->user_voice.data(), turn.input->user_audio});
    for (const Turn& turn : turns) voices_.push_back({turn.slot->agent_voice.data(), turn.input->agent_audio});
    if (network_->wav2vec2) {
        network_->wav2vec2->encode(compute_, wav2vec2_, voices_, {users.data, 2 * frames, users.stride});
    } else {
        const std::span<const Voice> voices(voices_);
        network_->log_mel->encode(compute_, log_mel_, voices.first(turns.size()), 0, users);
        network_->log_mel->encode(compute_, log_mel_, voices.last(turns.size()), config().agent_lookahead_frames,
                                  agents);
    }
    network_->tokens.set_speech(compute_, tokens_, kUserSpeech, users, n_turns);
    network_->tokens.set_speech(compute_, tokens_, kAgentSpeech, agents, n_turns);
}

// Embeds the turns' tokens and runs them through the backbone.
void TurnGroup::encode(std::span<const Turn> turns, Branch branch, float* z) {
    const int n_turns = static_cast<int>(turns.size()), tokens = config().tokens_per_turn();
    const bool masked = config().own_past != OwnPast::kLagged && z != nullptr;
    network_->tokens.embed(compute_, tokens_, branch, masked, n_turns,
                           {embedded_.data(), n_turns * tokens, config().width});
    backbone_turns_.clear();
    const float* embedded = embedded_.data();
    for (const Turn& turn : turns) {
        const Slot& slot = *turn.slot;
        // A turn that leaves the window with the next one is written by then.
        if (z != nullptr || !slides(slot)) {
            backbone_turns_.push_back({&turn.slot->history, place(slot), seen(slot), embedded});
        }
        embedded += elements(tokens, config().width);
    }
    if (!backbone_turns_.empty()) network_->backbone.run(compute_, backbone_, backbone_turns_, z);
}

// The backbone: the condition z of the turns and, with guidance, that without the user.
void TurnGroup::see(std::span<const Turn> turns) {
    user_motions_.clear();
    float* own = own_.data();
    for (const Turn& turn : turns) {
        prepare_window(*turn.slot);
        network_->tokens.set_style(tokens_, static_cast<int>(user_motions_.size()), turn.input->style);
        user_motions_.push_back({turn.input->user_motion, turn.input->user_motion_present});
        own = std::copy_n(turn.slot->own.data(), turn.slot->own.size(), own);
    }
    network_->tokens.set_user_motion(compute_, tokens_, network_->normalisation, user_motions_);
    if (config().own_past == OwnPast::kLagged) {
        network_->tokens.set_own_motion(compute_, tokens_, own_.data(), static_cast<int>(turns.size()));
    }
    if (turns.front().guided()) encode(turns, Branch::kUnconditional, unconditional_.data());
    encode(turns, Branch::kConditional, z_.data());  // last: its keys and values are those that stay
}

void TurnGroup::denoise(std::span<const Turn> turns) {
    const std::size_t frames = elements(config().turn_frames);
    denoise_turns_.clear();
    for (std::size_t i = 0; i < turns.size(); ++i) {
        const TurnInput& input = *turns[i].input;
        for (std::size_t f = 0; f < frames; ++f) {
            guidance_[i * frames + f] = 1 + (input.guidance - 1) * network_->guidance_shares[f];
        }
        denoise_turns_.push_back({turns[i].slot->own.data(), noise_of(turns[i], i), input.temperature});
    }
    DenoiseRequest request;
    request.turns = denoise_turns_;
    request.z = z_.data();
    request.unconditional = turns.front().guided() ? unconditional_.data() : nullptr;
    request.guidance = std::span(guidance_).first(turns.size() * frames);
    request.steps = turns.front().steps;
    network_->denoiser.run(compute_, denoiser_, request, motion_.data());
}

const float* TurnGroup::noise_of(const Turn& turn, std::size_t index) {
    if (!turn.input->noise.empty()) return turn.input->noise.data();
    NoiseRequest request = noise_request(config(), network_->denoiser.noise_steps(turn.steps));
    request.seed = turn.input->seed;
    request.first_frame = (turn.input->turn < 0 ? turn.slot->n_turns : turn.input->turn) * config().turn_frames;
    const std::size_t size = noise_size(request);
    const std::span<float> values = std::span(noise_).subspan(index * size, size);
    noise(request, values);
    return values.data();
}

// The motion to the slots and to the caller.
void TurnGroup::finish(std::span<const Turn> turns) {
    const float* motion = motion_.data();
    for (const Turn& turn : turns) {
        std::copy_n(motion, turn.slot->own.size(), turn.slot->own.data());
        network_->normalisation.denormalise(motion, turn.output->motion.data(), config().turn_frames);
        motion += turn.slot->own.size();
    }
}

// The turns become past: with the own past fed their tokens are encoded again, now with what was generated.
void TurnGroup::commit(std::span<const Turn> turns) {
    if (config().own_past == OwnPast::kFed) {
        network_->tokens.set_own_motion(compute_, tokens_, motion_.data(), static_cast<int>(turns.size()));
        encode(turns, Branch::kConditional, nullptr);
    }
    const std::size_t size = elements(config().tokens_per_turn(), config().width);
    for (std::size_t i = 0; i < turns.size(); ++i) {
        Slot& slot = *turns[i].slot;
        if (config().window != Window::kRing) {
            std::copy_n(embedded_.data() + i * size, size, embedded(slot, slot.n_turns));
        }
        ++slot.n_turns;
        ++slot.n_cached;
    }
}

// ---- windows

// With absolute positions a window that slides makes every key stale.  Exact: encode all past turns in sight anew.
// Amortised: when the window is full, encode its newer half anew at positions 0.. .
void TurnGroup::prepare_window(Slot& slot) {
    if (config().window == Window::kRing || slot.n_cached < config().context_turns) return;
    const int kept = config().window == Window::kExact ? config().context_turns - 1 : config().context_turns / 2;
    re_encode(slot, slot.n_turns - kept, kept);
}

void TurnGroup::re_encode(Slot& slot, std::int64_t first_turn, int n_turns) {
    for (int i = 0; i < n_turns;) {
        backbone_turns_.clear();
        for (int j = 0; j < backbone_.n_turns && i < n_turns; ++j, ++i) {
            backbone_turns_.push_back({&slot.history, i, i + 1, embedded(slot, first_turn + i)});
        }
        network_->backbone.run(compute_, backbone_, backbone_turns_, nullptr);
    }
    slot.n_cached = n_turns;
}

// With the next turn all keys and values are computed anew.
bool TurnGroup::slides(const Slot& slot) const {
    return config().window == Window::kExact && slot.n_cached + 1 == config().context_turns;
}

int TurnGroup::place(const Slot& slot) const {
    return config().window == Window::kRing ? static_cast<int>(slot.n_turns % config().context_turns) : slot.n_cached;
}

int TurnGroup::seen(const Slot& slot) const {
    if (config().window != Window::kRing) return slot.n_cached + 1;
    return static_cast<int>(std::min<std::int64_t>(slot.n_turns + 1, config().context_turns));
}

float* TurnGroup::embedded(Slot& slot, std::int64_t turn) const {
    return slot.embedded.data() + elements(turn % config().context_turns, config().tokens_per_turn(), config().width);
}

}  // namespace visavis::cpu
