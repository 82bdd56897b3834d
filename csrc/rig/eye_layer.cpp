#include "rig/eye_layer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace visavis {
namespace {

// Degrees of rotation at which a look shape is 1.  ARKit does not say; those of the corpus (data/corpus/eyes.py).
constexpr double kSide = 40, kUp = 30, kDown = 35;
constexpr double kCounterRotation = 0.85;  // share of the head's rotation that the eyes undo (own choice)
constexpr double kMostYaw = 28, kMostUp = 20, kMostDown = 24;  // rotation of the eye in the head (own choices)
constexpr double kVergence = 0.75;      // inward turn of each eye at the partner: half that of 1.2 m (own choice)
constexpr double kVergenceAway = 0.35;  // own choice
constexpr double kLidFollow = 0.35;     // closure of the lid at a full look down (own choice)
constexpr double kBlinkShift = 5;       // degrees of gaze shift that attract a blink (own choice)
constexpr double kPartner = 0.4;        // spells at the partner, log: as of people in corpus version 2
constexpr double kDegrees = 180 / std::numbers::pi;

float weight(double degrees, double full) { return static_cast<float>(std::clamp(degrees / full, 0.0, 1.0)); }

}  // namespace

EyeFrame EyeLayer::process(const EyeInput& input) {
    const double gain = static_cast<double>(input.gaze);
    const double head_yaw = static_cast<double>(input.head_yaw) * kDegrees;
    const double head_pitch = static_cast<double>(input.head_pitch) * kDegrees;
    const double partner = std::exp(kPartner * static_cast<double>(input.partner));
    const Direction world = gaze_.direction(input.frame, input.speaking, head_yaw, partner);
    if (gaze_.shift() * gain >= kBlinkShift) blinks_.attract();
    const double yaw = std::clamp(gain * world.yaw - kCounterRotation * head_yaw, -kMostYaw, kMostYaw);
    const double pitch = std::clamp(gain * world.pitch - kCounterRotation * head_pitch, -kMostUp, kMostDown);
    const double inward = gaze_.away() && input.gaze > 0 ? kVergenceAway : kVergence;
    const double left = yaw - inward, right = yaw + inward;
    const float down = weight(pitch, kDown), up = weight(-pitch, kUp);
    const float blink = blinks_.closure(input.frame, input.speaking, static_cast<double>(input.blink_rate));
    const float lid = 1 - (1 - blink) * (1 - static_cast<float>(kLidFollow) * down);
    return {lid, down, weight(-left, kSide), weight(left, kSide),   up,
            lid, down, weight(right, kSide), weight(-right, kSide), up};
}

}  // namespace visavis
