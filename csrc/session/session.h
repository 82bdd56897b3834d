// A session: one character's conversation.  Voices and the user's face go in on the session clock, frames come out.
//
// Two drives.  Push (offline): poll generates a turn as soon as the voices cover it.  Clock (live, from the first
// advance on): advance generates the turns that are due, with what has been pushed by then.
// Thread rule: one caller at a time, and one session of an engine at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engines/engine.h"
#include "rig/rig.h"
#include "session/audio_stream.h"
#include "session/frame_queue.h"
#include "session/motion_stream.h"

namespace visavis {

// Ahead: the agent's voice is known before it plays (TTS).  Live: an actor speaks; voice and face go out F+2 frames
// late.
enum class AgentAudio { kAhead = 0, kLive = 1 };
// The voices that a session has; the push drive waits for these alone.
enum class Voices { kBoth = 0, kAgent = 1, kUser = 2 };

struct SessionConfig {
    std::uint64_t seed = 0;
    float temperature = 1;  // scales the noise (engine.h); 0 to 10
    float guidance = 1;     // 1: none; 0 to 10
    int steps = 0;          // denoising steps; 0: the engine's default
    AgentAudio agent_audio = AgentAudio::kAhead;
    Voices voices = Voices::kBoth;
    std::int64_t lead_ns = kFrameNs;  // clock drive: a turn is due this long before its first frame is to be seen
};

struct SessionStats {
    std::int64_t turns = 0;
    std::int64_t frames = 0;
    std::int64_t late_frames = 0;
    std::int64_t withdrawn_frames = 0;
    std::int64_t nonfinite_values = 0;                            // of the engine's; the last finite ones stood in
    std::int64_t speech_ns = 0, backbone_ns = 0, denoise_ns = 0;  // sums over all turns
    VoiceStats user, agent;
    MotionStats user_motion;
};

class Session {
  public:
    Session(std::shared_ptr<Engine> engine, const SessionConfig& config);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    using Time = std::optional<std::int64_t>;
    std::int64_t push_user_audio(std::span<const float> samples, int rate, Time time_ns = {});
    std::int64_t push_agent_audio(std::span<const float> samples, int rate, Time time_ns = {});
    std::int64_t push_user_motion(std::span<const float> values, Time time_ns = {});  // (n, C)
    void advance(std::int64_t now_ns);          // session clock; puts the session into the clock drive
    std::int64_t cancel(std::int64_t from_ns);  // barge-in; returns how many frames were withdrawn
    void set_temperature(float temperature);    // from the next turn on
    // Dials of the rig (docs/rig.md): what is set acts from the next turn on, without a jump.
    std::span<const Dial> dials() const { return rig_.dials(); }
    double dial(std::string_view name) const { return rig_.dial(name); }
    void set_dial(std::string_view name, double value) { rig_.set_dial(name, value); }
    void end();  // nothing more will be pushed; poll gives out the rest
    // Copies frames and their values (n, C) into the caller's memory; returns how many.
    std::size_t poll(std::span<Frame> frames, std::span<float> values);

    const ModelInfo& info() const { return info_; }
    std::int64_t delay_ns() const { return delay_frames_ * kFrameNs; }  // of the frames, and owed to the agent's voice
    SessionStats stats() const;

  private:
    bool expects_user() const { return config_.voices != Voices::kAgent; }
    bool expects_agent() const { return config_.voices != Voices::kUser; }
    void check_open(const char* what, bool expected) const;
    Time burst_start(std::int64_t n_samples, int rate) const;
    std::int64_t last_frame() const;  // after end: the number of frames of the conversation
    bool covered() const;
    bool turn_ready() const;
    void generate_turn();
    void fill_agent(TurnInput& input);
    void fill_user(TurnInput& input);
    void publish_turn();
    void publish_frame(std::int64_t frame, std::span<const float> motion, bool loud);
    bool loud(std::int64_t frame_of_turn) const;

    std::shared_ptr<Engine> engine_;
    ModelInfo info_;
    SessionConfig config_;
    std::int64_t turn_frames_, lookahead_frames_, delay_frames_;
    AudioStream user_, agent_;
    MotionStream user_motion_;
    Rig rig_;
    FrameQueue queue_;
    int slot_ = -1;
    std::int64_t turn_ = 0;  // the next to be generated
    bool clock_ = false, ended_ = false;
    std::int64_t now_ns_ = 0, n_frames_ = 0;
    int hang_ = 0;  // frames for which the agent still counts as speaking
    SessionStats stats_;
    std::vector<float> user_samples_, agent_samples_, user_values_, motion_;  // of the turn at hand
    std::vector<std::uint8_t> user_present_;                                  // (F)
};

}  // namespace visavis
