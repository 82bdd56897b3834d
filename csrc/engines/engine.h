// The engine contract: what executes a model, a batch of turns of different sessions at a time.
// Implementations: cpu/ (native), Python engines through the bindings.  Thread rule: one caller at a time per engine.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace visavis {

// What an engine takes: bounds that no signal reaches and that keep float32 from overflowing on the way.
inline constexpr float kMaxSample = 1e3F;  // of audio; full scale is 1
inline constexpr float kMaxMotion = 1e6F;

// What a session must know of a model; read from the model file.
struct ModelInfo {
    std::string name;
    std::vector<std::string> channels;  // C names of the motion space
    std::vector<std::string> units;     // "1" or "rad", one per channel
    int turn_frames = 0;                // F
    int user_lag_frames = 0;
    int agent_lookahead_frames = 0;
    int context_turns = 0;
    int steps = 0;                    // default number of denoising steps
    int least_steps = 1;              // the fewest that its sampler takes
    float noise_coherence = 0;        // r in [0, 1)
    float noise_scale = 1;            // of sessions, on top of their temperature
    float turn_join = 0;              // in [0, 1], share of the mean of its neighbours in a turn's first frame (mouth)
    bool eye_layer = false;           // the rig moves the eyes; the model leaves their channels at 0
    bool normalised_audio = false;    // voices have zero mean and unit variance; sessions see to it
    std::vector<std::string> styles;  // S names: the axes of a person's style

    int n_channels() const { return static_cast<int>(channels.size()); }
};

// One turn of one session.  Spans are borrowed for the call.  An empty span means that the stream is absent.  Voices
// are normalised where the model's info says so.
struct TurnInput {
    int slot = 0;
    std::span<const float> user_audio;                  // F*640 samples at 16 kHz, already lagged by user_lag_frames
    std::span<const float> agent_audio;                 // F*640, or (F+agent_lookahead_frames)*640 when that is known
    std::span<const float> user_motion;                 // F*C raw units, already lagged
    std::span<const std::uint8_t> user_motion_present;  // F flags, 0: that frame is absent; empty: all are present
    std::span<const float> noise;  // (1+steps)*F*C, x_T first; empty: Philox noise from seed and turn
    std::uint64_t seed = 0;
    std::int64_t turn = -1;        // index of the turn in its session, for the noise counter; -1: the slot's own count
    float temperature = 1;         // scales the step noise (ancestral) or x_T (dpm2m)
    float guidance = 1;            // 1: no guidance
    std::span<const float> style;  // S in [-1, 1], of models with styles; empty: zeros, the average person
    int steps = 0;                 // 0: the engine's default
};

struct TurnOutput {
    std::span<float> motion;  // F*C, raw units before the rig; memory of the caller
    std::int64_t speech_ns = 0;
    std::int64_t backbone_ns = 0;
    std::int64_t denoise_ns = 0;
    int steps = 0;  // steps that were run
};

class Engine {
  public:
    virtual ~Engine() = default;
    virtual const ModelInfo& info() const = 0;
    virtual int open() = 0;  // a slot: one session's history
    virtual void close(int slot) = 0;
    virtual void reset(int slot) = 0;  // forget the slot's history
    // A session may ask for turns of so many denoising steps later on: allocate now what they need.
    virtual void prepare(int /*steps*/) {}
    // Generates inputs.size() turns, each of another slot.  Throws visavis::Error; no slot has then moved on.
    virtual void step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) = 0;
};

}  // namespace visavis
