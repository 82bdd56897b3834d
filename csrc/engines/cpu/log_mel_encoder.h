// The log-mel speech encoder: 16 kHz samples in, one feature vector per 40 ms frame out.
//
// mel frame m (100 Hz) sees the samples [160(m+1) - 400, 160(m+1)); their power spectrum, mel triangles,
// (ln(mel + 1e-7) + 10) / 4; then valid 1-D convolutions with GELU down to 25 Hz.  Causal.
//
// What a turn has computed is not computed again: a voice's state keeps the last inputs of every layer.
#pragma once
#include <vector>

#include "engines/cpu/spectrum.h"
#include "engines/cpu/voice.h"

namespace visavis::cpu {

class LogMelEncoder {
  public:
    explicit LogMelEncoder(const TensorReader& reader);

    struct Scratch {
        Spectrum::Scratch spectrum;
        Buffer audio, power, inputs, outputs;
    };
    Scratch scratch(Compute& compute, int n_voices) const;
    std::size_t state_size() const;                            // floats
    Buffer silence(Compute& compute, Scratch& scratch) const;  // the state after endless silence

    // The F tokens of each voice, seen `ahead` frames after the turn's begin: out (voices * F, speech_width).
    void encode(Compute& compute, Scratch& scratch, std::span<const Voice> voices, int ahead, Rows out) const;

  private:
    struct Convolution {
        Linear linear;
        int stride = 1;
        int n_in = 0;     // width of its input
        int kept = 0;     // inputs that the next turn needs again
        int skipped = 0;  // inputs that no window sees, at its begin
        int rate = 0;     // inputs per motion frame
    };
    void take_audio(Scratch& scratch, std::span<const Voice> voices, int ahead) const;
    void log_mel(Compute& compute, Scratch& scratch, int n_voices, int n_mel_frames) const;
    void take_inputs(Scratch& scratch, const Convolution& layer, std::size_t at, std::span<const Voice> voices,
                     int ahead) const;

    int frames_, ahead_, bands_;
    Spectrum spectrum_;
    Linear mel_;
    std::vector<Convolution> convolutions_;
};

}  // namespace visavis::cpu
