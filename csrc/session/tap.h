// For recordings: what a session's callers do not get to see.  Each turn as the engine saw it and what it gave, each
// frame that went through the rig, and voices that no turn saw.  A session with a tap fills it; its owner drains it
// between two calls of the session.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engines/engine.h"
#include "session/turn_report.h"

namespace visavis {

// A voice that no turn saw: sample 0 stands at `first` of the session clock (16 kHz).
struct TappedVoice {
    bool agent = false;
    std::int64_t first = 0;
    std::vector<float> samples;
};

struct TappedTurn {
    std::vector<TappedVoice> skipped;  // between the turn before and this one
    std::int64_t user_frame = 0;       // first of the user's frames that it saw, session clock
    float temperature = 1, guidance = 1;
    TurnReport report;
    std::vector<float> agent_audio, user_audio;   // empty: absent
    std::vector<float> user_motion;               // (F, C), empty: absent
    std::vector<std::uint8_t> user_motion_there;  // (F)
    std::vector<float> motion;                    // (F, C), before the rig
    std::vector<float> style;                     // (S)
};

struct TappedFrame {
    std::int64_t index = 0;
    bool speaking = false;
    bool idle = false;   // made of no turn's motion
    bool eased = false;  // mixed with the frame before it behind the rig
};

class SessionTap {
  public:
    void skipped(TappedVoice voice) { skipped_.push_back(std::move(voice)); }
    void turn(const TurnInput& input, const TurnOutput& output, std::int64_t user_frame) {
        const auto copy = [](const auto& span) { return std::vector(span.begin(), span.end()); };
        turns_.push_back({std::exchange(skipped_, {}),
                          user_frame,
                          input.temperature,
                          input.guidance,
                          {},
                          copy(input.agent_audio),
                          copy(input.user_audio),
                          copy(input.user_motion),
                          copy(input.user_motion_present),
                          std::vector(output.motion.begin(), output.motion.end()),
                          copy(input.style)});
    }
    void report(const TurnReport& report) { turns_.back().report = report; }  // of the last turn
    void frame(const TappedFrame& frame) { frames_.push_back(frame); }

    // What came since the last call.
    std::vector<TappedTurn> take_turns() { return std::exchange(turns_, {}); }
    std::vector<TappedFrame> take_frames() { return std::exchange(frames_, {}); }

  private:
    std::vector<TappedVoice> skipped_;
    std::vector<TappedTurn> turns_;
    std::vector<TappedFrame> frames_;
};

}  // namespace visavis
