// Names, derived sizes and checks of the model configuration.
#include "model_file/model_config.h"

#include <algorithm>
#include <array>
#include <span>

#include "constants.h"
#include "error.h"
#include "text.h"

namespace visavis {
namespace {

constexpr int kMelWindow = 400;  // samples, 25 ms
constexpr int kMelHop = 160;     // samples, 10 ms
constexpr int kSpeechStride = kSamplesPerFrame / kMelHop;
constexpr std::int64_t kMaxHistoryValues = std::int64_t{1} << 31;  // keys and values of one session: 8 GiB as float32

[[noreturn]] void refuse(const std::string& what) { throw Error(Status::kInvalidArgument, what); }

template <class Choice, std::size_t N>
Choice from_name(const char* field, std::string_view name, const std::array<std::string_view, N>& names) {
    std::string known;
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == name) return static_cast<Choice>(i);
        known += (i == 0 ? "" : ", ") + std::string(names[i]);
    }
    refuse(std::string(field) + " is " + quote(name) + "; expected one of " + known);
}

void check_range(const char* field, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value < least || value > most) {
        refuse(std::string(field) + " is " + std::to_string(value) + "; expected " + std::to_string(least) + " to " +
               std::to_string(most));
    }
}

void check_list(const char* field, std::span<const int> values, int most) {
    check_range((std::string("length of ") + field).c_str(), static_cast<std::int64_t>(values.size()), 0, 16);
    for (const int value : values) check_range(field, value, 1, most);
}

void check_sizes(const ModelConfig& c) {
    check_range("turn_frames", c.turn_frames, 1, 250);
    check_range("context_turns", c.context_turns, 1, 4096);
    check_range("user_lag_frames", c.user_lag_frames, 0, 250);
    check_range("agent_lookahead_frames", c.agent_lookahead_frames, 0, 250);
    check_range("speech_width", c.speech_width, 1, 16384);
    check_range("mel_bands", c.mel_bands, 1, 201);
    check_range("token_width", c.token_width, 2, 16384);
    check_range("width", c.width, 1, 16384);
    check_range("depth", c.depth, 1, 256);
    check_range("heads", c.heads, 1, 256);
    check_range("mlp_ratio", c.mlp_ratio, 1, 64);
    check_range("head_context_frames", c.head_context_frames, 0, c.turn_frames);
    check_range("head_width", c.head_width, 1, 16384);
    check_range("head_depth", c.head_depth, 1, 256);
    check_range("steps", c.steps, c.sampler == Sampler::kAncestral ? 2 : 1, 1000);
    check_range("number of channels", c.n_channels, 1, 1024);
    if (!(c.noise_coherence >= 0 && c.noise_coherence < 1)) {
        refuse("noise_coherence is " + std::to_string(c.noise_coherence) + "; expected 0 <= r < 1");
    }
    if (!(c.lip_noise >= 0 && c.lip_noise <= 1)) {
        refuse("lip_noise is " + std::to_string(c.lip_noise) + "; expected 0 to 1");
    }
    if (!(c.noise_scale >= 0 && c.noise_scale <= 4)) {
        refuse("noise_scale is " + std::to_string(c.noise_scale) + "; expected 0 to 4");
    }
    if (!(c.turn_join >= 0 && c.turn_join <= 1)) {
        refuse("turn_join is " + std::to_string(c.turn_join) + "; expected 0 to 1");
    }
}

void check_styles(std::span<const std::string> styles) {
    check_range("number of styles", std::ssize(styles), 0, 64);
    for (std::size_t i = 0; i < styles.size(); ++i) {
        const std::string& name = styles[i];
        const bool spelt = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
        if (name.empty() || name.size() > 32 || !spelt) {
            refuse("style " + quote(name) + "; expected a name of 1 to 32 letters a to z, digits and _");
        }
        if (std::find(styles.begin(), styles.begin() + static_cast<std::ptrdiff_t>(i), name) !=
            styles.begin() + static_cast<std::ptrdiff_t>(i)) {
            refuse("style " + quote(name) + " appears twice");
        }
    }
}

void check_combinations(const ModelConfig& c) {
    if (c.width % c.heads != 0) {
        refuse("width " + std::to_string(c.width) + " does not divide by heads " + std::to_string(c.heads));
    }
    if (c.token_width % 2 != 0) refuse("token_width is " + std::to_string(c.token_width) + "; expected an even number");
    if ((c.positions == Positions::kRelative) != (c.window == Window::kRing)) {
        refuse("relative positions go with window ring, absolute ones with exact or amortised");
    }
    if (c.denoise_target == DenoiseTarget::kResidual &&
        (c.denoise_unit != DenoiseUnit::kTurn || c.head_context_frames < 1)) {
        refuse("denoise_target residual needs denoise_unit turn and at least 1 of head_context_frames");
    }
    if (c.lip_noise != 1 && c.denoise_target != DenoiseTarget::kResidual) {
        refuse("lip_noise is " + std::to_string(c.lip_noise) + "; expected 1 without denoise_target residual");
    }
    const std::int64_t history = std::int64_t{2} * c.context_turns * c.tokens_per_turn() * c.width;
    if (history > kMaxHistoryValues / c.depth) {
        refuse("the history of one session has 2 x " + std::to_string(c.context_turns) + " turns x " +
               std::to_string(c.tokens_per_turn()) + " tokens x " + std::to_string(c.width) + " x " +
               std::to_string(c.depth) + " values; at most 2^31 are allowed");
    }
}

void check_speech_encoder(const ModelConfig& c) {
    check_list("conv_widths", c.conv_widths, 16384);
    check_list("conv_kernels", c.conv_kernels, 64);
    check_list("conv_strides", c.conv_strides, kSpeechStride);
    if (c.conv_widths.size() != c.conv_kernels.size() || c.conv_widths.size() != c.conv_strides.size()) {
        refuse("conv_widths, conv_kernels and conv_strides differ in length");
    }
    if (c.speech_encoder != SpeechEncoder::kLogmel) return;
    int stride = 1;
    for (const int layer : c.conv_strides) stride = stride > kSpeechStride ? stride : stride * layer;
    if (stride != kSpeechStride) {
        refuse("conv_strides multiply to " + std::to_string(stride) + "; expected " + std::to_string(kSpeechStride));
    }
    if (c.context_samples() < 0) refuse("conv_kernels see less than the 40 ms of a frame");
    if (c.conv_widths.back() != c.speech_width) {
        refuse("last conv width " + std::to_string(c.conv_widths.back()) + " is not speech_width " +
               std::to_string(c.speech_width));
    }
}

// Each kind of token that the layout needs must be there once per frame (a marker: once), and no other.
void check_layout(const ModelConfig& c) {
    if (c.layout_kind.size() != c.layout_frame.size()) {
        refuse("layout_kind has " + std::to_string(c.layout_kind.size()) + " tokens, layout_frame " +
               std::to_string(c.layout_frame.size()) + "; expected as many");
    }
    const bool markers = c.layout == Layout::kMarkers;
    const int expected = markers ? 4 * c.turn_frames + kMarkers : 2 * c.turn_frames;
    check_range("length of layout_kind", static_cast<std::int64_t>(c.layout_kind.size()), expected, expected);
    std::vector<bool> seen(static_cast<std::size_t>(kTokenKinds * c.turn_frames));
    for (std::size_t i = 0; i < c.layout_kind.size(); ++i) {
        const int kind = c.layout_kind[i];
        const int frame = c.layout_frame[i];
        check_range("layout_kind", kind, markers ? 0 : kUserFrame, markers ? kAgentMotion : kAgentFrame);
        const bool marker = kind < kMarkers;
        check_range("layout_frame", frame, marker ? -1 : 0, marker ? -1 : c.turn_frames - 1);
        const auto at = static_cast<std::size_t>(kind * c.turn_frames + (marker ? 0 : frame));
        if (seen[at]) {
            refuse("layout: kind " + std::to_string(kind) + ", frame " + std::to_string(frame) + " appears twice");
        }
        seen[at] = true;
    }
}

}  // namespace

SpeechEncoder speech_encoder_from_name(std::string_view name) {
    return from_name<SpeechEncoder>("speech_encoder", name, std::array<std::string_view, 2>{"logmel", "wav2vec2"});
}

Layout layout_from_name(std::string_view name) {
    return from_name<Layout>("layout", name, std::array<std::string_view, 2>{"markers", "fused"});
}

Positions positions_from_name(std::string_view name) {
    return from_name<Positions>("positions", name, std::array<std::string_view, 2>{"absolute", "relative"});
}

Window window_from_name(std::string_view name) {
    return from_name<Window>("window", name, std::array<std::string_view, 3>{"exact", "amortised", "ring"});
}

OwnPast own_past_from_name(std::string_view name) {
    return from_name<OwnPast>("own_past", name, std::array<std::string_view, 3>{"masked", "fed", "lagged"});
}

DenoiseUnit denoise_unit_from_name(std::string_view name) {
    return from_name<DenoiseUnit>("denoise_unit", name, std::array<std::string_view, 2>{"frame", "turn"});
}

DenoiseTarget denoise_target_from_name(std::string_view name) {
    return from_name<DenoiseTarget>("denoise_target", name, std::array<std::string_view, 2>{"absolute", "residual"});
}

Sampler sampler_from_name(std::string_view name) {
    return from_name<Sampler>("sampler", name, std::array<std::string_view, 2>{"ancestral", "dpm2m"});
}

Eyes eyes_from_name(std::string_view name) {
    return from_name<Eyes>("eyes", name, std::array<std::string_view, 2>{"layer", "model"});
}

int ModelConfig::turn_samples() const { return turn_frames * kSamplesPerFrame; }

int ModelConfig::context_samples() const {
    if (speech_encoder != SpeechEncoder::kLogmel) return 0;
    int mels = 1;
    for (std::size_t i = conv_kernels.size(); i-- > 0;) mels = (mels - 1) * conv_strides[i] + conv_kernels[i];
    return (mels - 1) * kMelHop + kMelWindow - kSamplesPerFrame;
}

int ModelConfig::row_width() const { return n_channels * (denoise_unit == DenoiseUnit::kTurn ? turn_frames : 1); }

int ModelConfig::condition_width() const {
    if (denoise_unit == DenoiseUnit::kFrame) return width;
    return turn_frames * width + head_context_frames * n_channels;
}

void check_config(const ModelConfig& config) {
    check_sizes(config);
    check_speech_encoder(config);
    check_layout(config);
    check_styles(config.styles);
    check_combinations(config);
}

}  // namespace visavis
