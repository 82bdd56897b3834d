#include "session/turn_join.h"

#include <algorithm>
#include <cmath>

#include "rig/channel_group.h"

namespace visavis {

TurnJoin::TurnJoin(std::span<const std::string> channels, int turn_frames, float share)
    : share_(share), turn_frames_(static_cast<std::size_t>(turn_frames)), last_(channels.size()) {
    for (const std::string& channel : channels) mouth_.push_back(channel_group(channel) == ChannelGroup::kMouth);
}

void TurnJoin::apply(std::int64_t turn, std::span<float> motion, bool shown) {
    if (share_ == 0 || turn_frames_ < 2) return;
    const std::size_t n_channels = last_.size();
    if (shown && turn == turn_ + 1) {
        const std::span<float> first = motion.first(n_channels);
        const std::span<const float> second = motion.subspan(n_channels, n_channels);
        for (std::size_t c = 0; c < n_channels; ++c) {
            if (!mouth_[c]) continue;
            const float joined = first[c] + share_ * (0.5F * (last_[c] + second[c]) - first[c]);
            if (std::isfinite(joined)) first[c] = joined;  // the rig counts values that are not, frame by frame
        }
    }
    std::ranges::copy(motion.last(n_channels), last_.begin());
    turn_ = turn;
}

}  // namespace visavis
