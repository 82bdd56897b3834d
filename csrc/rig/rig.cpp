#include "rig/rig.h"

#include <algorithm>
#include <cmath>

namespace visavis {
namespace {

constexpr float kGainStep = 0.1F;    // a frame: a gain goes from 0 to 1 in 0.4 s
constexpr float kWeightStep = 0.1F;  // a frame, of offsets and limits
constexpr float kAngleStep = 0.05F;  // rad a frame, 72 degrees a second
constexpr float kShareStep = 0.1F;   // of what runs from 0 to 1
constexpr float kSoftest = 0.4F;     // share of a channel's range that bends where dials drive it to its end

// Within the limits; the more the dials drive a channel, the softer it comes to its end, so that it is not cut flat.
float limit(float value, float low, float high, float drive) {
    const float soft = 0.5F * (high - low) * kSoftest * std::clamp(drive, 0.0F, 1.0F);
    if (soft > 0 && value > high - soft) value = high - soft + soft * std::tanh((value - high + soft) / soft);
    if (soft > 0 && low < 0 && value < low + soft) value = low + soft - soft * std::tanh((low + soft - value) / soft);
    return std::clamp(value, low, std::max(low, high));
}

}  // namespace

Rig::Rig(std::span<const std::string> channels, std::span<const std::string> units, const RigConfig& config)
    : dials_(channels, units, config.eye_layer, config.styles),
      emotion_table_(channels.size() * kEmotionNames.size() * 2),
      eye_layer_(config.seed) {
    const auto ranges = channel_ranges(channels, units);
    for (std::size_t c = 0; c < channels.size(); ++c) {
        const float step = units[c] == "rad" ? kAngleStep : kWeightStep;
        Channel channel;
        channel.group = channel_group(channels[c]);
        channel.range = ranges[c];
        for (std::size_t e = 0; e < kEmotionNames.size(); ++e)
            for (const EmotionOffset& offset : emotion_offsets(static_cast<Emotion>(e)))
                if (offset_applies(offset.shape, channels[c])) {
                    channel.emotional = true;
                    emotion_table_[(c * kEmotionNames.size() + e) * 2] = offset.listening;
                    emotion_table_[(c * kEmotionNames.size() + e) * 2 + 1] = offset.speaking;
                }
        channel.gain = Glide(1, kGainStep);
        for (Glide* glide : {&channel.offset, &channel.low, &channel.high}) *glide = Glide(0, step);
        if (const auto eye = std::ranges::find(kEyeChannels, channels[c]); eye != kEyeChannels.end())
            channel.eye = static_cast<int>(eye - kEyeChannels.begin());
        if (channels[c] == "headYaw") yaw_ = static_cast<int>(c);
        if (channels[c] == "headPitch") pitch_ = static_cast<int>(c);
        channels_.push_back(channel);
    }
    if (const auto found = std::ranges::find(config.styles, "gaze"); found != config.styles.end())
        gaze_style_ = static_cast<int>(found - config.styles.begin());
    for (Glide* glide : {&smoothing_[0], &smoothing_[1], &smoothing_[2], &gaze_, &layer_, &blinks_})
        *glide = Glide(0, kShareStep);
}

void Rig::set_dial(std::string_view name, double value) { dials_.set(name, value); }

// The targets of a channel's glides.
void Rig::aim(std::size_t c, bool speaking, bool jump) {
    Channel& channel = channels_[c];
    const float gain = dials_.movement(channel.group, speaking) * dials_.gain(c);
    const float offset = dials_.offset(c) + (channel.emotional ? emotion_offset(c, speaking) : 0);
    const float low = std::max(dials_.min(c), channel.range.low), high = std::min(dials_.max(c), channel.range.high);
    if (jump) {
        channel.gain.jump(gain);
        channel.offset.jump(offset);
        channel.low.jump(low);
        channel.high.jump(high);
        return;
    }
    channel.gain.approach(gain);
    channel.offset.approach(offset);
    // A limit that nothing touches moves at once; one that cuts into the motion starts at the last value.
    channel.low.jump(std::min(std::max(channel.low.value(), std::min(low, channel.last_value)), channel.last_value));
    channel.high.jump(std::max(std::min(channel.high.value(), std::max(high, channel.last_value)), channel.last_value));
    channel.low.approach(low);
    channel.high.approach(high);
}

float Rig::emotion_offset(std::size_t c, bool speaking) const {
    // A mouth that does not move when speaking needs no room to close its lips.
    const float talks = speaking ? std::min(dials_.movement(ChannelGroup::kMouth, true), 1.0F) : 0;
    float sum = 0;
    for (std::size_t e = 0; e < kEmotionNames.size(); ++e) {
        const float* pair = &emotion_table_[(c * kEmotionNames.size() + e) * 2];
        if (pair[0] != 0 || pair[1] != 0)
            sum += dials_.emotion(static_cast<Emotion>(e)) * (pair[0] + talks * (pair[1] - pair[0]));
    }
    return sum;
}

int Rig::process(std::span<const float> motion, bool speaking, std::int64_t frame, std::span<float> values) {
    const auto follow = [this](Glide& glide, float target) {
        if (!started_) glide.jump(target);
        return glide.approach(target);
    };
    for (std::size_t g = 0; g < 3; ++g) follow(smoothing_[g], dials_.smoothing(static_cast<ChannelGroup>(g)));
    follow(gaze_, dials_.gaze());
    follow(layer_, dials_.eye_layer());
    follow(blinks_, dials_.blinks());
    int n_bad = 0;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
        Channel& channel = channels_[c];
        if (std::isfinite(motion[c])) {
            channel.last_motion = motion[c];
        } else {
            ++n_bad;
        }
        aim(c, speaking, !started_);
        if (channel.eye >= 0) continue;
        const float strength =
            channel.group == ChannelGroup::kEyes ? 0 : smoothing_[static_cast<std::size_t>(channel.group)].value();
        values[c] = finish(channel, channel.filter.filter(channel.last_motion, strength));
    }
    const EyeFrame eyes =
        eye_layer_.process({frame, speaking, value_of(yaw_, values), value_of(pitch_, values), blinks_.value(),
                            gaze_.value(), gaze_style_ < 0 ? 0 : style(static_cast<std::size_t>(gaze_style_))});
    for (std::size_t c = 0; c < channels_.size(); ++c)
        if (channels_[c].eye >= 0) values[c] = finish(channels_[c], eye_value(channels_[c], eyes));
    started_ = true;
    return n_bad;
}

float Rig::value_of(int channel, std::span<const float> values) const {
    return channel == kNoChannel ? 0 : values[static_cast<std::size_t>(channel)];
}

// The layer's value and the model's, mixed.
float Rig::eye_value(const Channel& channel, const EyeFrame& eyes) const {
    const auto place = static_cast<std::size_t>(channel.eye);
    const bool lid = kEyeChannels[place].starts_with("eyeBlink");
    const float own =
        std::clamp(channel.last_motion, 0.0F, 1.0F) * (lid ? std::min(blinks_.value(), 1.0F) : gaze_.value());
    return own + layer_.value() * (eyes[place] - own);
}

float Rig::limited(const Channel& channel, float value) {
    const float gain = channel.gain.value(), offset = channel.offset.value();
    const float drive = std::max(std::abs(gain) - 1, 0.0F) + std::abs(offset);
    return limit(gain * value + offset, channel.low.value(), channel.high.value(), drive);
}

float Rig::finish(Channel& channel, float value) {
    channel.last_value = limited(channel, value);
    return channel.last_value;
}

float Rig::rest(std::size_t channel) const { return limited(channels_[channel], 0); }

}  // namespace visavis
