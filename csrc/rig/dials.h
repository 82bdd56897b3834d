// The dials of a rig: names, ranges and what they are set to.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rig/channel_group.h"
#include "rig/channel_range.h"
#include "rig/emotions.h"

namespace visavis {

struct Dial {
    std::string name;
    double low, high;
    double standard;  // at the start
    std::string meaning;
};

// The dials that a model's channels allow.  General dials come first, then gain, offset, min and max of each channel.
class Dials {
  public:
    // `styles`: names of the model's style axes.  Their dials are for who makes the motion.
    Dials(std::span<const std::string> channels, std::span<const std::string> units, bool eye_layer,
          std::span<const std::string> styles);

    std::span<const Dial> list() const { return dials_; }
    // Throw Error(kInvalidArgument): an unknown name (the valid ones are named), NaN, a value out of range, a channel's
    // min above its max.
    void set(std::string_view name, double value);
    double get(std::string_view name) const { return values_[find(name)]; }

    // The values by place.  A part of the face that the channels lack moves nothing.
    float movement(ChannelGroup group, bool speaking) const;
    float smoothing(ChannelGroup group) const;
    float emotion(Emotion emotion) const;  // intensity, all together at most 1
    float blinks() const { return at(blinks_); }
    float gaze() const { return at(gaze_); }
    float eye_layer() const { return at(eye_layer_); }
    float style(std::size_t axis) const { return at(axis); }  // these dials are the first
    float gain(std::size_t channel) const { return at(first_channel_ + 4 * channel); }
    float offset(std::size_t channel) const { return at(first_channel_ + 4 * channel + 1); }
    float min(std::size_t channel) const { return at(first_channel_ + 4 * channel + 2); }
    float max(std::size_t channel) const { return at(first_channel_ + 4 * channel + 3); }

  private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::size_t add(std::string name, double low, double high, double standard, std::string meaning);
    void add_general(std::span<const std::string> channels, bool eye_layer);
    void add_styles(std::span<const std::string> styles);
    void add_channel(const std::string& channel, const std::string& unit, ChannelRange range);
    std::size_t find(std::string_view name) const;
    [[noreturn]] void fail_unknown(std::string_view name) const;
    float at(std::size_t dial) const { return dial == kNone ? 0 : static_cast<float>(values_[dial]); }

    std::vector<Dial> dials_;
    std::vector<double> values_;
    std::vector<std::string> channels_;
    std::size_t movement_[2][3] = {{kNone, kNone, kNone}, {kNone, kNone, kNone}};  // listening, speaking
    std::size_t smoothing_[3] = {kNone, kNone, kNone};
    std::size_t emotions_[kEmotionNames.size()];
    std::size_t blinks_ = kNone, gaze_ = kNone, eye_layer_ = kNone;
    std::size_t n_styles_ = 0, first_channel_ = 0;
};

}  // namespace visavis
