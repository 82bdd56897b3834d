// A session: one character's conversation.  Voices and the user's face go in on the session clock, frames come out.
//
// Two drives.  Push (offline): poll generates a turn as soon as the voices cover it.  Clock (live, from the first
// advance on): advance generates the turns that are due, with what has been pushed by then; docs/clock.md has the whole
// contract.  session.cpp: what callers do; session_turns.cpp: how turns are made.
// Thread rule: one caller at a time, and one session of an engine at a time.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engines/engine.h"
#include "rig/rig.h"
#include "session/audio_stream.h"
#include "session/ease.h"
#include "session/frame_queue.h"
#include "session/motion_stream.h"
#include "session/pacer.h"
#include "session/tap.h"
#include "session/turn_join.h"
#include "session/turn_report.h"
#include "session/voice_level.h"

namespace visavis {

// Ahead: the agent's voice is known before it plays (TTS).  Live: an actor speaks; voice and face go out later, by F+2
// frames with the lead of one frame.
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
    std::int64_t lead_ns = kFrameNs;      // clock drive: a turn is due this long before its first frame is to be seen
    LatePolicy late = LatePolicy::kHold;  // clock drive: what is done about turns that cannot be in time
    // Monotonic nanoseconds of any origin, by which the engine's work is measured; none: the system's clock.
    std::function<std::int64_t()> clock;
};

struct SessionStats {
    std::int64_t turns = 0;
    std::int64_t frames = 0;
    std::int64_t late_frames = 0;
    std::int64_t withdrawn_frames = 0;
    std::int64_t replaced_frames = 0;  // given out in place of withdrawn ones
    std::int64_t dropped_frames = 0;   // over one frame late when they were made
    std::int64_t idle_frames = 0;      // by the eye layer alone
    std::int64_t skipped_turns = 0;    // never generated: more than two turns behind
    std::int64_t late_turns = 0;       // their first frame's time was over
    std::int64_t fewer_steps_turns = 0;
    std::int64_t idle_turns = 0;
    std::int64_t nonfinite_values = 0;                            // of the engine's; the last finite ones stood in
    std::int64_t speech_ns = 0, backbone_ns = 0, denoise_ns = 0;  // sums over all turns
    VoiceStats user, agent;
    MotionStats user_motion;
};

// A turn that the engine is to make.  What it points at stays as it is until the session's next call.
struct OpenTurn {
    TurnInput input;
    TurnOutput output;
    TurnReport report;
    std::int64_t started_ns = 0;
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
    // The session clock stands at now_ns: makes the turns that are due, but begins none after 10 ms of work, so that
    // the frames can be polled.  Puts the session into the clock drive.
    void advance(std::int64_t now_ns) { advance_for(now_ns, 10'000'000); }
    void advance_for(std::int64_t now_ns, std::int64_t work_ns);  // 0: one turn at most
    // The same without a turn: what was withdrawn is replaced, what is over two turns behind skipped.
    void tell(std::int64_t now_ns);
    // advance_for(now_ns, 0) in parts, so that turns of several sessions can be one step of their engine: begin_turn,
    // the engine's step over what it returned, end_turn (unless the step failed).  Null: no turn is to be made now.
    OpenTurn* begin_turn(std::int64_t now_ns);
    void end_turn();
    std::int64_t next_due_ns() const { return due(turn_); }  // of the next turn, session clock
    std::int64_t cancel(std::int64_t from_ns);               // barge-in; returns how many frames were withdrawn
    void cancel_user(std::int64_t from_ns);                  // forgets the user's voice queued from then on
    void set_temperature(float temperature);                 // from the next turn on
    // Dials of the rig (docs/rig.md) and of the model's styles: what is set acts from the next turn on, without a jump.
    std::span<const Dial> dials() const { return rig_.dials(); }
    double dial(std::string_view name) const { return rig_.dial(name); }
    void set_dial(std::string_view name, double value) { rig_.set_dial(name, value); }
    void end();  // no more voice will be pushed; poll gives out the rest
    // Copies frames and their values (n, C) into the caller's memory; returns how many.
    std::size_t poll(std::span<Frame> frames, std::span<float> values);
    // Copies the reports of the oldest turns not yet reported; returns how many.  The last 64 are kept.
    std::size_t poll_turns(std::span<TurnReport> reports);

    const ModelInfo& info() const { return info_; }
    std::int64_t delay_ns() const { return delay_frames_ * kFrameNs; }  // of the frames, and owed to the agent's voice
    // How far back a turn sees the user: the model's lag, or in the clock drive what can have come when the turn is
    // due, where that is less.
    std::int64_t user_lag_frames() const { return lag_frames_; }
    SessionStats stats() const;

    // For recordings: what the session does from now on goes into the tap, too.
    std::shared_ptr<SessionTap> start_tap() { return tap_ = std::make_shared<SessionTap>(); }
    // The voice as it is queued, between two samples of the session clock (16 kHz); silence in its gaps.
    std::vector<float> queued_voice(bool agent, std::int64_t from, std::int64_t until) const;

  private:
    bool expects_user() const { return config_.voices != Voices::kAgent; }
    bool expects_agent() const { return config_.voices != Voices::kUser; }
    void check_open(const char* what, bool expected) const;
    Time burst_start(std::int64_t n_samples, int rate) const;
    std::int64_t last_frame() const;  // after end: the number of frames of the conversation
    std::int64_t time_of(std::int64_t frame) const { return (frame + delay_frames_) * kFrameNs; }
    std::int64_t due(std::int64_t turn) const { return time_of(turn * turn_frames_) - config_.lead_ns; }
    bool live() const { return clock_ && !ended_; }  // lateness counts
    std::int64_t clock_ns() const;                   // the session clock now, while the engine works
    bool covered() const;
    bool turn_ready() const;

    void make_turns(std::int64_t work_ns);
    bool turn_wanted();
    void skip_turns();
    void tap_skipped(std::int64_t next);
    bool replace_frame();
    bool show_idle();
    void idle_turn();
    void generate_turn();
    void open_turn();
    int choose_steps(std::int64_t begin_ns);
    void fill_agent(TurnInput& input);
    void fill_user(TurnInput& input);
    TurnInput as_heard(TurnInput input) const;
    void count_missing();
    int publish_turn(std::int64_t at_ns);
    bool publish_frame(std::int64_t frame, std::span<const float> motion, bool is_loud, std::int64_t at_ns);
    void count_turn(const TurnReport& report);
    void use_input();
    void start_ease(bool head);
    bool loud(std::int64_t frame_of_turn) const;

    std::shared_ptr<Engine> engine_;
    ModelInfo info_;
    SessionConfig config_;
    std::int64_t turn_frames_, lookahead_frames_, delay_frames_, lag_frames_;
    AudioStream user_, agent_;
    MotionStream user_motion_;
    Rig rig_;
    FrameQueue queue_;
    Ease ease_;
    TurnJoin join_;
    Pacer pacer_;
    TurnReports reports_;
    int slot_ = -1;
    std::int64_t turn_ = 0;          // the next to be generated
    std::int64_t next_frame_ = 0;    // the next to be given out; past the turn's first one: its frames went out idle
    std::int64_t replace_from_ = 0;  // frames from here to next_frame_ were withdrawn and wait for others
    std::int64_t skipped_ = 0;       // turns before the one at hand that were never generated
    bool clock_ = false, ended_ = false;
    bool idle_ = false, idle_shown_ = false;  // frames are idle; the last advance did nothing but show such
    bool resume_ = false;                     // the next turn goes on from frames that replaced withdrawn ones
    std::int64_t now_ns_ = 0, n_frames_ = 0;
    OpenTurn open_turn_;
    std::int64_t told_at_ns_ = 0;  // what config.clock showed when now_ns was told
    int hang_ = 0;                 // frames for which the agent still counts as speaking
    SessionStats stats_;
    std::shared_ptr<SessionTap> tap_;                                           // null: nobody records
    std::vector<float> user_samples_, agent_samples_, user_values_, motion_;    // of the turn at hand
    VoiceLevel user_level_, agent_level_, next_user_level_, next_agent_level_;  // before and after the turn at hand
    std::vector<float> user_heard_, agent_heard_;  // its voices as the engine gets them, for models that want them so
    std::vector<float> style_;                     // (S) of the turn at hand
    std::vector<float> no_motion_, unseen_;        // (C) zeros; of a frame that is dropped
    std::vector<std::uint8_t> user_present_;       // (F)
    std::vector<std::uint8_t> moves_;              // (C) what is eased
};

}  // namespace visavis
