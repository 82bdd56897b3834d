#include "rig/channel_range.h"

#include <limits>
#include <numbers>

namespace visavis {
namespace {

ChannelRange range_of(const std::string& channel, const std::string& unit) {
    constexpr float kRightAngle = std::numbers::pi_v<float> / 2;
    if (unit == "rad") return {-kRightAngle, kRightAngle};
    if (channel.starts_with("exp")) return {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()};
    return {0, 1};
}

}  // namespace

std::vector<ChannelRange> channel_ranges(std::span<const std::string> channels, std::span<const std::string> units) {
    std::vector<ChannelRange> ranges;
    for (std::size_t c = 0; c < channels.size(); ++c) ranges.push_back(range_of(channels[c], units[c]));
    return ranges;
}

}  // namespace visavis
