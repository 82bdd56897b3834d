// Every switch of the model family: the mirror of python/visavis/model/config.py, field for field.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace visavis {

enum class SpeechEncoder { kLogmel, kWav2vec2 };
enum class Layout { kMarkers, kFused };
enum class Positions { kAbsolute, kRelative };
enum class Window { kExact, kAmortised, kRing };
enum class OwnPast { kMasked, kFed, kLagged };
enum class DenoiseUnit { kFrame, kTurn };
enum class DenoiseTarget { kAbsolute, kResidual };
enum class Sampler { kAncestral, kDpm2m };
enum class Eyes { kLayer, kModel };

// Names as the model file and the options spell them; throw Error(kInvalidArgument) with the valid names.
SpeechEncoder speech_encoder_from_name(std::string_view name);
Layout layout_from_name(std::string_view name);
Positions positions_from_name(std::string_view name);
Window window_from_name(std::string_view name);
OwnPast own_past_from_name(std::string_view name);
DenoiseUnit denoise_unit_from_name(std::string_view name);
DenoiseTarget denoise_target_from_name(std::string_view name);
Sampler sampler_from_name(std::string_view name);
Eyes eyes_from_name(std::string_view name);

// Token kinds of a turn: 0..9 are the ten learned markers, in the order of their embedding table.
inline constexpr int kMarkers = 10;
inline constexpr int kUserSpeech = 10;
inline constexpr int kUserMotion = 11;
inline constexpr int kAgentSpeech = 12;
inline constexpr int kAgentMotion = 13;
inline constexpr int kUserFrame = 14;
inline constexpr int kAgentFrame = 15;
inline constexpr int kTokenKinds = 16;

struct ModelConfig {
    std::string motion_space;
    int turn_frames = 0;             // F, frames that fuse bidirectionally
    int context_turns = 0;           // visible turns, the current one included
    int user_lag_frames = 0;         // the user is seen this many frames late
    int agent_lookahead_frames = 0;  // agent speech seen past the turn
    SpeechEncoder speech_encoder = SpeechEncoder::kLogmel;
    int speech_width = 0;  // width of the encoder's output
    int mel_bands = 0;
    std::vector<int> conv_widths;
    std::vector<int> conv_kernels;
    std::vector<int> conv_strides;
    Layout layout = Layout::kFused;
    Positions positions = Positions::kRelative;
    Window window = Window::kRing;
    OwnPast own_past = OwnPast::kLagged;
    int token_width = 0;  // w
    int width = 0;        // D
    int depth = 0;
    int heads = 0;
    int mlp_ratio = 0;
    DenoiseUnit denoise_unit = DenoiseUnit::kTurn;
    int head_context_frames = 0;  // own frames of the previous turn that the head sees (turn unit)
    DenoiseTarget denoise_target = DenoiseTarget::kAbsolute;  // motion, or its scaled distance from the last own frame
    int head_width = 0;
    int head_depth = 0;
    Sampler sampler = Sampler::kAncestral;
    int steps = 0;
    double noise_coherence = 0;  // r in [0, 1)
    double lip_noise = 1;        // in [0, 1], scale of the noise where the residual gain is 0
    double noise_scale = 1;      // in [0, 4], of all noise in sessions, on top of their temperature
    double turn_join = 0;        // in [0, 1], share of the mean of its neighbours in a turn's first frame (mouth)
    Eyes eyes = Eyes::kLayer;
    std::vector<std::string> styles;  // names of the axes of a person's style, each in [-1, 1], 0 the average person

    // Not fields of the Python class: they stand in the file beside them.
    int n_channels = 0;             // C
    std::vector<int> layout_kind;   // kind of each token of a turn (T)
    std::vector<int> layout_frame;  // frame of each token, -1 for a marker (T)

    int tokens_per_turn() const { return static_cast<int>(layout_kind.size()); }  // T
    int n_styles() const { return static_cast<int>(styles.size()); }              // S
    int turn_samples() const;                                                     // F * 640
    int context_samples() const;  // samples before a frame that its log-mel token still sees
    int row_width() const;        // values that the head denoises together
    int condition_width() const;  // width of the head's condition
};

// Throws Error(kInvalidArgument) for values out of range or that do not go together.
void check_config(const ModelConfig& config);

}  // namespace visavis
