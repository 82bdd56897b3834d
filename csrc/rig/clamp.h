// The last stage before a mesh: every channel stays in its range.
#pragma once
#include <span>
#include <string>
#include <vector>

namespace visavis {

// What a channel may reach: a blendshape weight 0 to 1, an angle +-pi/2; FLAME's expression coefficients are unbounded.
struct ChannelRange {
    float low;
    float high;
};

std::vector<ChannelRange> channel_ranges(std::span<const std::string> channels, std::span<const std::string> units);

// Writes `motion` (C), clamped, over `values` (C); a value that is not finite leaves the old one.  Returns how many
// were not finite.
int clamp_frame(std::span<const ChannelRange> ranges, std::span<const float> motion, std::span<float> values);

}  // namespace visavis
