// Which part of the face a channel moves: the rig's dials act on these groups.
#pragma once
#include <string_view>

namespace visavis {

// The groups of python/visavis/motion_space.py, with the eye layer's channels apart.
enum class ChannelGroup { kMouth, kFace, kHead, kEyes };
inline constexpr int kChannelGroups = 4;

// By name: arkit55, and flame56 whose expression counts as face, jaw as mouth and neck as head.
inline ChannelGroup channel_group(std::string_view channel) {
    const auto begins = [channel](std::string_view with) { return channel.starts_with(with); };
    if (begins("head") || begins("neck")) return ChannelGroup::kHead;
    if (begins("mouth") || begins("jaw") || begins("tongue")) return ChannelGroup::kMouth;
    if (begins("eyeBlink") || begins("eyeLook")) return ChannelGroup::kEyes;
    return ChannelGroup::kFace;
}

}  // namespace visavis
