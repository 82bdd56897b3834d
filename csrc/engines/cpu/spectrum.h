// The power spectrum of the mel frames' windows: a real DFT of 400 samples with its window folded in, always float32
// (bfloat16 audio would be noise in quiet bands).
//
// The matrix comes from the model file.  Where it is the DFT of a symmetric window, a quarter of its products is
// enough: samples n and 400 - n have the same cosine and the opposite sine, and bins k and 200 - k the same values but
// for a sign at odd n (cosine) or even n (sine).  Any other matrix is multiplied as it stands.
#pragma once
#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

inline constexpr int kMelWindow = 400;  // samples
inline constexpr int kMelHop = 160;     // samples
inline constexpr int kSpectrumBins = kMelWindow / 2 + 1;

class Spectrum {
  public:
    explicit Spectrum(const TensorReader& reader);

    struct Scratch {
        Buffer audio[2];                // even and odd samples
        Buffer inputs[4], products[4];  // cosine of even and odd samples, sine of them: (rows, ..)
        Buffer dense;                   // (rows, 2 * bins)
    };
    // Of so many voices, samples of each, rows of all.
    Scratch scratch(int n_voices, int n_samples, int n_rows) const;

    // power (voices * windows, bins): of each voice's n_samples the windows from its first sample on, one every hop.
    void run(Compute& compute, Scratch& scratch, const float* audio, int n_voices, int n_samples, Rows power) const;

  private:
    void fold(Scratch& scratch, const float* audio, int n_voices, int n_samples, int n_windows) const;

    bool folds_;
    Linear folded_[4];
    Linear dense_;
};

}  // namespace visavis::cpu
