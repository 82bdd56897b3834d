#include "engines/cpu/log_mel_encoder.h"

#include <cmath>
#include <string>

#include "constants.h"

namespace visavis::cpu {
namespace {

constexpr int kMelWindow = 400;  // samples
constexpr int kMelHop = 160;     // samples
constexpr int kBins = kMelWindow / 2 + 1;
constexpr float kMelFloor = 1e-7F, kMelShift = 10.0F, kMelScale = 4.0F;

}  // namespace

LogMelEncoder::LogMelEncoder(const TensorReader& reader)
    : kernels_(&reader.kernels()),
      dft_(reader.matrix("speech_encoder.dft", 2 * kBins, kMelWindow)),
      mel_(reader.matrix("speech_encoder.mel", reader.config().mel_bands, kBins)) {
    const ModelConfig& config = reader.config();
    const int n_samples = config.context_samples() + config.turn_frames * kSamplesPerFrame;
    n_mel_frames_ = (n_samples - kMelWindow) / kMelHop + 1;
    spectrum_ = Buffer(elements(n_mel_frames_, 2 * kBins));
    power_ = Buffer(elements(n_mel_frames_, kBins));
    features_ = Buffer(elements(n_mel_frames_, config.mel_bands));
    int frames = n_mel_frames_, width = config.mel_bands;
    for (std::size_t i = 0; i < config.conv_widths.size(); ++i) {
        const int kernel = config.conv_kernels[i];
        Convolution layer;
        layer.n_in = width;
        layer.stride = config.conv_strides[i];
        layer.linear =
            reader.convolution("speech_encoder.conv." + std::to_string(i), config.conv_widths[i], width, kernel);
        width = config.conv_widths[i];
        frames = (frames - kernel) / layer.stride + 1;
        layer.n_out_frames = frames;
        layer.out = Buffer(elements(frames, width));
        convolutions_.push_back(std::move(layer));
    }
}

void LogMelEncoder::log_mel(const float* samples) {
    apply(*kernels_, dft_, {samples, kMelHop}, {spectrum_.data(), n_mel_frames_, 2 * kBins});
    for (int m = 0; m < n_mel_frames_; ++m) {
        const float* real = spectrum_.data() + elements(m, 2 * kBins);
        const float* imaginary = real + kBins;
        float* power = power_.data() + elements(m, kBins);
        for (int i = 0; i < kBins; ++i) power[i] = real[i] * real[i] + imaginary[i] * imaginary[i];
    }
    const int bands = mel_.weight.n_out();
    apply(*kernels_, mel_, {power_.data(), kBins}, {features_.data(), n_mel_frames_, bands});
    for (float& x : features_.span()) x = (std::log(x + kMelFloor) + kMelShift) / kMelScale;
}

void LogMelEncoder::encode(const float* samples, Rows out) {
    log_mel(samples);
    const float* in = features_.data();
    for (std::size_t i = 0; i < convolutions_.size(); ++i) {
        Convolution& layer = convolutions_[i];
        const int width = layer.linear.weight.n_out();
        const bool last = i + 1 == convolutions_.size();
        const Rows result = last ? out : Rows{layer.out.data(), layer.n_out_frames, width};
        apply(*kernels_, layer.linear, {in, static_cast<std::ptrdiff_t>(layer.stride) * layer.n_in}, result);
        for (int frame = 0; frame < result.rows; ++frame) kernels_->gelu(result.row(frame), width);
        in = result.data;
    }
}

}  // namespace visavis::cpu
