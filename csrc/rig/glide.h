// A number on its way to another: how every change of a dial, and of speaking to listening, reaches the face.
#pragma once
#include <algorithm>
#include <cmath>

namespace visavis {

// Comes within 3 % of a small change in ten frames; a large one runs at the largest step and slows down at its end.
class Glide {
  public:
    Glide() = default;
    Glide(float value, float largest_step) : value_(value), largest_step_(largest_step) {}

    float value() const { return value_; }
    void jump(float value) { value_ = value; }
    float approach(float target) {
        constexpr float kShare = 0.3F;      // of the rest, each frame
        constexpr float kLastStep = 0.05F;  // in largest steps: below it the target is reached at once
        const float rest = target - value_;
        if (std::abs(rest) <= kLastStep * largest_step_) {
            value_ = target;
        } else {
            value_ += std::clamp(kShare * rest, -largest_step_, largest_step_);
        }
        return value_;
    }

  private:
    float value_ = 0;
    float largest_step_ = 1;
};

}  // namespace visavis
