// The eye layer: blinks and gaze of a character whose model leaves the eyes to the rig.  Writes eyeBlink* and eyeLook*.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "rig/blinks.h"
#include "rig/gaze.h"

namespace visavis {

// What the layer writes, in the order of EyeFrame.
inline constexpr std::array<std::string_view, 10> kEyeChannels = {
    "eyeBlinkLeft",  "eyeLookDownLeft",  "eyeLookInLeft",  "eyeLookOutLeft",  "eyeLookUpLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight"};
using EyeFrame = std::array<float, kEyeChannels.size()>;

// What a frame depends on.  Head angles in radians, as the mesh will show them.
struct EyeInput {
    std::int64_t frame = 0;
    bool speaking = false;
    float head_yaw = 0;    // positive: to the person's own left
    float head_pitch = 0;  // positive: chin down
    float blink_rate = 1;  // scales blinks a minute
    float gaze = 1;        // scales how far the gaze moves
    float partner = 0;     // -1 to 1: how long it rests at the partner, 0 as most people's
};

class EyeLayer {
  public:
    explicit EyeLayer(std::uint64_t seed) : blinks_(seed), gaze_(seed) {}
    EyeFrame process(const EyeInput& input);  // once a frame, in order

  private:
    Blinks blinks_;
    Gaze gaze_;
};

}  // namespace visavis
