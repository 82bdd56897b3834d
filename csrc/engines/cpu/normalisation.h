// Raw motion to normalised and back.  Channels of weight 0 are never generated: 0 in both.
#pragma once
#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

class Normalisation {
  public:
    explicit Normalisation(const TensorReader& reader);

    int n_channels() const { return static_cast<int>(mean_.size()); }
    const float* mask() const { return mask_.data(); }                 // (C) 1 or 0
    void normalise(const float* raw, float* out, int n_frames) const;  // (n, C) -> (n, C)
    void denormalise(const float* normed, float* out, int n_frames) const;

  private:
    Buffer mean_, std_, mask_;
};

}  // namespace visavis::cpu
