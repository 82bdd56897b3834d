// When the lids close and how: intervals are log-normal, at a rate that follows speaking and listening.
// Numbers: blinks.cpp; their sources: docs/rig.md.
#pragma once
#include <cstdint>

#include "rig/draws.h"

namespace visavis {

class Blinks {
  public:
    explicit Blinks(std::uint64_t seed);

    // Lid closure, 0 open to 1 shut, at a frame; called once for each, in order.  `rate` scales blinks a minute.
    float closure(std::int64_t frame, bool speaking, double rate);
    // The gaze moves far at this frame: a blink that is due soon happens now.
    void attract() { attracted_ = true; }

  private:
    void start(double now, bool is_second);
    double draw_interval() const;

    Draws draws_;
    std::uint64_t n_blinks_ = 0;
    double waited_ = 0, interval_ = 1;  // in mean intervals
    double second_at_ = -1;             // frame of the second blink of a double one; -1: none is due
    bool attracted_ = false;
    std::int64_t last_frame_ = -1;
    double shut_at_ = -100, closing_ = 1, hold_ = 0, opening_ = 1, depth_ = 1;  // the present blink, in frames
};

}  // namespace visavis
