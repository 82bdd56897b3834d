#include "rig/clamp.h"

#include <algorithm>
#include <cmath>
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

int clamp_frame(std::span<const ChannelRange> ranges, std::span<const float> motion, std::span<float> values) {
    int n_bad = 0;
    for (std::size_t c = 0; c < motion.size(); ++c) {
        if (std::isfinite(motion[c])) {
            values[c] = std::clamp(motion[c], ranges[c].low, ranges[c].high);
        } else {
            ++n_bad;
        }
    }
    return n_bad;
}

}  // namespace visavis
