// Which of a model's channels are the 55 values of a face (52 shapes, yaw, pitch, roll), by name and unit.
#pragma once
#include <array>
#include <span>

#include "engines/engine.h"
#include "stage/show.h"

namespace visavis {

class ChannelMap {
  public:
    explicit ChannelMap(const ModelInfo& info);

    bool empty() const { return n_known_ == 0; }
    int n_channels() const { return n_channels_; }
    // (C) -> (55); what the model lacks is zero.
    void to_face(std::span<const float> motion, std::span<float, VVI_VALUES> face) const;
    // (55) -> (C)
    void to_motion(std::span<const float, VVI_VALUES> face, std::span<float> motion) const;

  private:
    std::array<int, VVI_VALUES> channel_{};  // -1: the model has none
    int n_channels_ = 0, n_known_ = 0;
};

}  // namespace visavis
