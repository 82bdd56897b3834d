#include "stage/channel_map.h"

#include <algorithm>
#include <string_view>

namespace visavis {

ChannelMap::ChannelMap(const ModelInfo& info) : n_channels_(info.n_channels()) {
    for (std::size_t value = 0; value < channel_.size(); ++value) {
        const std::string_view name = vvi_value_name(static_cast<std::uint32_t>(value));
        const std::string_view unit = value < VVC_SHAPES ? "1" : "rad";
        const auto found = std::ranges::find(info.channels, name);
        const auto channel = static_cast<std::size_t>(found - info.channels.begin());
        const bool there = found != info.channels.end() && info.units[channel] == unit;
        channel_[value] = there ? static_cast<int>(channel) : -1;
        n_known_ += there;
    }
}

void ChannelMap::to_face(std::span<const float> motion, std::span<float, VVI_VALUES> face) const {
    for (std::size_t value = 0; value < channel_.size(); ++value)
        face[value] = channel_[value] < 0 ? 0.0F : motion[static_cast<std::size_t>(channel_[value])];
}

void ChannelMap::to_motion(std::span<const float, VVI_VALUES> face, std::span<float> motion) const {
    std::ranges::fill(motion, 0.0F);
    for (std::size_t value = 0; value < channel_.size(); ++value)
        if (channel_[value] >= 0) motion[static_cast<std::size_t>(channel_[value])] = face[value];
}

}  // namespace visavis
