// The sizes of the wav2vec2 that a model file carries: the keys `visavis.wav2vec2.*` of docs/model_format.md.
#pragma once
#include <vector>

#include "model_file/gguf.h"

namespace visavis {

struct Wav2Vec2Config {
    int width = 0;  // E
    int depth = 0;
    int heads = 0;
    int mlp_width = 0;
    std::vector<int> conv_widths, conv_kernels, conv_strides;
    bool conv_bias = true;
    bool group_norm = false;  // after the first convolution alone; else a layer norm after each
    int position_kernel = 0;
    int position_groups = 0;
    bool pre_norm = true;
    double eps = 1e-5;

    int n_features(int n_samples) const;  // that the convolutions make of so many samples; 0: too few
};

bool carries_wav2vec2(const gguf::File& file);
// Throws Error(kModelFile) for sizes that are missing, out of range or do not go together.
Wav2Vec2Config read_wav2vec2(const gguf::File& file);

}  // namespace visavis
