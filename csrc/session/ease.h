// A change of what moves the face, without a jump: each frame goes part of the way from the last one to its own values,
// 9 % at first, all of it after ten frames.  No channel leaves the range between the two.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace visavis {

class Ease {
  public:
    explicit Ease(std::size_t n_channels) : last_(n_channels), moves_(n_channels) {}

    // From now on ease the channels of `moves` (C flags), too, from the last frame.
    void begin(std::span<const std::uint8_t> moves);
    void set_last(std::span<const float> values);  // (C) of the frame to go on from
    void apply(std::span<float> values);           // (C), in place; frames in rising order
    bool running() const { return left_ > 0; }

  private:
    static constexpr int kFrames = 10;

    std::vector<float> last_;
    std::vector<std::uint8_t> moves_;
    int left_ = 0;  // frames that are still to be eased
};

}  // namespace visavis
