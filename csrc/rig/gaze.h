// Where the eyes look: at the partner's face or away, in saccades; averted when a long utterance begins, back at its
// end.  Numbers: gaze.cpp; their sources: docs/rig.md.
#pragma once
#include <cstdint>

#include "rig/draws.h"

namespace visavis {

// A direction from between the eyes, in degrees: yaw positive to the person's own left, pitch positive down.
struct Direction {
    double yaw = 0;
    double pitch = 0;
};

class Gaze {
  public:
    explicit Gaze(std::uint64_t seed);

    // The direction in the world at a frame, 0 at the partner's eyes; called once for each frame, in order.  A head
    // that is turned (degrees) looks away to its own side, where the eyes need not go far.  `partner` scales the mean
    // of the spells at the partner that begin now.
    Direction direction(std::int64_t frame, bool speaking, double head_yaw, double partner);
    bool away() const { return away_; }
    // Degrees that the saccade begun in this frame covers; 0: none began.
    double shift() const { return shift_; }

  private:
    void follow_utterances(double now, bool speaking);
    void begin_spell(double now, bool away, bool speaking);
    void fixate(double now);
    void look(double now, Direction at, double length);
    Direction at(double now) const;

    Draws spells_, fixations_, micro_saccades_, utterances_;
    std::uint64_t n_spells_ = 0, n_fixations_ = 0, n_micro_saccades_ = 0, n_utterances_ = 0;
    bool started_ = false, away_ = false, speaking_ = false;
    double head_yaw_ = 0, partner_ = 1;
    double avert_at_ = -1, return_at_ = -1;  // forced changes that are due, in frames; -1: none
    double spell_end_ = 0, fixation_end_ = 0, micro_at_ = 0;
    Direction spell_;      // the point that an averted spell is about
    Direction from_, to_;  // the present saccade
    Direction micro_;      // offset of the last micro-saccade
    double left_at_ = 0, saccade_length_ = 1, shift_ = 0;
};

}  // namespace visavis
