// The log-mel speech encoder: 16 kHz samples in, one feature vector per 40 ms frame out.
//
// mel frame m (100 Hz) sees the samples [160(m+1) - 400, 160(m+1)); a real DFT with its Hann window folded in (a matrix
// product), power, mel triangles, (ln(mel + 1e-7) + 10) / 4; then valid 1-D convolutions with GELU down to 25 Hz.
// Causal: the audio it already saw is its only context, so the caller keeps the last context_samples samples.
#pragma once
#include <vector>

#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

class LogMelEncoder {
  public:
    explicit LogMelEncoder(const TensorReader& reader);

    // samples: config.context_samples() of history, then n_frames * 640; out (n_frames, speech_width) with
    // n_frames = turn_frames.
    void encode(const float* samples, Rows out);

  private:
    struct Convolution {
        Linear linear;
        int stride = 1;
        int n_in = 0;
        Buffer out;  // (frames of this layer, width)
        int n_out_frames = 0;
    };
    void log_mel(const float* samples);

    const Kernels* kernels_;
    Linear dft_, mel_;
    std::vector<Convolution> convolutions_;
    int n_mel_frames_ = 0;
    Buffer spectrum_, power_, features_;
};

}  // namespace visavis::cpu
