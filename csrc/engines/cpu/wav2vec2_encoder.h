// wav2vec2, the paper's speech encoder: each turn on its own, features at the motion's frames.
//
// The convolutions run voice by voice (their first layers have thousands of rows), the transformer over the frames of
// all voices together.  docs/model_format.md has what is computed.
#pragma once
#include <vector>

#include "engines/cpu/attention.h"
#include "engines/cpu/tensor_reader.h"
#include "engines/cpu/voice.h"
#include "model_file/wav2vec2_config.h"

namespace visavis::cpu {

class Wav2Vec2Encoder {
  public:
    explicit Wav2Vec2Encoder(const TensorReader& reader);

    struct Scratch {
        Buffer inputs, outputs;                   // of a convolution, one voice
        Buffer features, normed, hidden, placed;  // (B * F, ..)
        Buffer qkv, mixed, expanded;              // (B * F, ..)
        std::vector<Buffer> padded;               // of each thread, one voice and group
        std::vector<History> voices;              // keys and values of each voice
        std::vector<AttentionScratch> attention;
    };
    Scratch scratch(Compute& compute, int n_voices) const;

    // out (voices * F, speech_width).
    void encode(Compute& compute, Scratch& scratch, std::span<const Voice> voices, Rows out) const;

  private:
    struct Convolution {
        Linear linear;
        Norm norm;  // empty: none
        int n_in = 0, stride = 1, kernel = 1;
    };
    struct Block {
        Norm norm1, norm2;
        Linear qkv, projection, expand, contract;
    };
    int convolve(Compute& compute, Scratch& scratch, std::span<const float> samples) const;
    void normalise(Compute& compute, const Convolution& layer, Rows rows) const;
    void interpolate(const Scratch& scratch, int n_features, Rows out) const;
    void add_positions(Compute& compute, Scratch& scratch, Rows hidden) const;
    void run_block(Compute& compute, Scratch& scratch, const Block& block, Rows hidden) const;
    void mix(Compute& compute, Scratch& scratch, Rows qkv) const;

    Wav2Vec2Config config_;
    int frames_;  // F
    std::vector<Convolution> convolutions_;
    Norm feature_norm_, norm_;
    Linear feature_projection_;
    Format history_format_;
    int first_tap_, n_taps_;         // of the position's convolution: those that see a frame
    std::vector<Linear> positions_;  // one a group
    Buffer position_bias_;           // (E)
    std::vector<Block> blocks_;
};

}  // namespace visavis::cpu
