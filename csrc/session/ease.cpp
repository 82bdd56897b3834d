#include "session/ease.h"

#include <algorithm>

namespace visavis {

void Ease::begin(std::span<const std::uint8_t> moves) {
    for (std::size_t c = 0; c < moves_.size(); ++c) moves_[c] = moves[c] || (left_ > 0 && moves_[c]);
    left_ = kFrames;
}

void Ease::set_last(std::span<const float> values) { std::ranges::copy(values, last_.begin()); }

void Ease::apply(std::span<float> values) {
    if (left_ > 0) {
        const float share = static_cast<float>(kFrames + 1 - left_--) / (kFrames + 1);
        for (std::size_t c = 0; c < last_.size(); ++c)
            if (moves_[c]) values[c] = last_[c] + share * (values[c] - last_[c]);
    }
    set_last(values);
}

}  // namespace visavis
