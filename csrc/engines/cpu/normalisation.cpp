#include "engines/cpu/normalisation.h"

#include "error.h"

namespace visavis::cpu {

Normalisation::Normalisation(const TensorReader& reader)
    : mean_(reader.buffer("motion_mean", {reader.config().n_channels})),
      std_(reader.buffer("motion_std", {reader.config().n_channels})),
      mask_(reader.buffer("motion_weight", {reader.config().n_channels})) {
    for (float& weight : mask_.span()) weight = weight > 0 ? 1.0F : 0.0F;
    for (const float std : std_.span()) {
        if (!(std > 0)) {
            throw Error(Status::kModelFile,
                        "model file: motion_std holds " + std::to_string(std) + "; expected over 0");
        }
    }
}

void Normalisation::normalise(const float* raw, float* out, int n_frames) const {
    for (int f = 0; f < n_frames; ++f) {
        for (std::size_t c = 0; c < mean_.size(); ++c) {
            *out++ = (*raw++ - mean_.data()[c]) / std_.data()[c] * mask_.data()[c];
        }
    }
}

void Normalisation::denormalise(const float* normed, float* out, int n_frames) const {
    for (int f = 0; f < n_frames; ++f) {
        for (std::size_t c = 0; c < mean_.size(); ++c) {
            const float value = *normed++ * std_.data()[c] + mean_.data()[c];
            *out++ = mask_.data()[c] > 0 ? value : 0.0F;
        }
    }
}

}  // namespace visavis::cpu
