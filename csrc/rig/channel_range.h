// The ranges that no channel leaves.
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

}  // namespace visavis
