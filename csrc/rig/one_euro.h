// One-euro filter (Casiez, Roussel, Vogel 2012): a low-pass that opens up when the signal moves fast.
#pragma once
#include <cmath>
#include <numbers>

#include "constants.h"

namespace visavis {

class OneEuro {
  public:
    // Strength 0 to 1; 0 leaves the signal as it is.
    float filter(float value, float strength) {
        constexpr float kFrameS = 1.0F / kFrameRate;
        constexpr float kLongestS = 0.25F;     // time constant at rest and strength 1: cutoff 0.64 Hz (own choice)
        constexpr float kBeta = 1.5F;          // cutoff gained, Hz, per unit a second of speed (own choice)
        constexpr float kSpeedShare = 0.136F;  // low-pass of the speed: 1 Hz at 25 fps, as in the paper
        if (!started_) value_ = value;
        started_ = true;
        speed_ += kSpeedShare * ((value - value_) / kFrameS - speed_);
        const float rest_s = strength * kLongestS;
        const float constant_s = rest_s / (1 + 2 * std::numbers::pi_v<float> * rest_s * kBeta * std::abs(speed_));
        value_ += (value - value_) / (1 + constant_s / kFrameS);
        if (strength <= 0) value_ = value;  // exactly
        return value_;
    }

  private:
    bool started_ = false;
    float value_ = 0;
    float speed_ = 0;
};

}  // namespace visavis
