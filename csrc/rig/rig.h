// The rig: what turns the motion of an engine into what a mesh gets.  One frame in, one frame out.
//
// Per channel, in this order: one-euro smoothing, movement and channel gain, emotion and channel offset, the channel's
// limits.  The eye layer writes eyeBlink* and eyeLook*.  Every change of a dial, and of speaking to listening, glides:
// a gain moves by at most 0.1 a frame, an offset or limit by at most 0.1, or 0.05 rad.  With all dials as they are at
// the start and the model's own eyes, a frame comes out as it went in, within the channels' ranges.
// Thread rule: one caller at a time.  Nothing is allocated after construction.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rig/dials.h"
#include "rig/eye_layer.h"
#include "rig/glide.h"
#include "rig/one_euro.h"

namespace visavis {

struct RigConfig {
    std::uint64_t seed = 0;  // of the eye layer
    bool eye_layer = false;  // the dial eyes.layer at the start
    // Of the model: dials style.NAME, kept for its session.  `gaze` moves the eye layer, too.
    std::span<const std::string> styles = {};
};

class Rig {
  public:
    Rig(std::span<const std::string> channels, std::span<const std::string> units, const RigConfig& config);

    std::size_t n_channels() const { return channels_.size(); }
    std::span<const Dial> dials() const { return dials_.list(); }
    double dial(std::string_view name) const { return dials_.get(name); }
    float style(std::size_t axis) const { return dials_.style(axis); }
    void set_dial(std::string_view name, double value);  // throws Error(kInvalidArgument); acts from the next frame on

    // Writes the frame for `motion` (C) to `values` (C).  A value that is not finite counts as the last finite one.
    // Returns how many were not.  Frames come in rising order.
    int process(std::span<const float> motion, bool speaking, std::int64_t frame, std::span<float> values);
    // What a channel that does not move would show, as the dials stood at the last frame.
    float rest(std::size_t channel) const;
    ChannelGroup group(std::size_t channel) const { return channels_[channel].group; }

  private:
    struct Channel {
        ChannelGroup group = ChannelGroup::kFace;
        bool emotional = false;  // an emotion has an offset for it
        ChannelRange range{};
        int eye = -1;  // its place in EyeFrame
        float last_motion = 0, last_value = 0;
        OneEuro filter;
        Glide gain, offset, low, high;
    };
    static constexpr int kNoChannel = -1;

    void aim(std::size_t c, bool speaking, bool jump);
    float emotion_offset(std::size_t c, bool speaking) const;
    static float limited(const Channel& channel, float value);
    float finish(Channel& channel, float value);
    float eye_value(const Channel& channel, const EyeFrame& eyes) const;
    float value_of(int channel, std::span<const float> values) const;

    Dials dials_;
    std::vector<Channel> channels_;
    std::vector<float> emotion_table_;  // (C, emotions, 2): listening, speaking
    EyeLayer eye_layer_;
    int yaw_ = kNoChannel, pitch_ = kNoChannel;
    int gaze_style_ = -1;  // its place among the styles
    Glide smoothing_[3], gaze_, layer_, blinks_;
    bool started_ = false;
};

}  // namespace visavis
