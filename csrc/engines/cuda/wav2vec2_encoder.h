// wav2vec2 on the GPU; engines/cpu/wav2vec2_encoder.h and docs/model_format.md say what is computed.  Convolutions run
// for a few turns at a time (their first layers have thousands of rows a voice), the transformer for all of them.
#pragma once
#include <vector>

#include "engines/cuda/batch.h"

namespace visavis::cuda {

class Wav2Vec2Encoder {
  public:
    explicit Wav2Vec2Encoder(const WeightReader& reader);

    void allocate(Arena& arena, int n_turns);
    Features encode(const Compute& compute, const Batch& batch) const;

  private:
    struct Layer {
        Linear linear;
        Norm norm;  // empty: none
        int n_out = 0, kernel = 1, stride = 1;
        int n_rows = 0;  // of a voice, out
        RowMap windows;
    };
    struct Block {
        Norm norm1, norm2;
        Linear qkv, projection, expand, contract;
    };
    void read_positions(const WeightReader& reader);
    void convolve(const Compute& compute, const Batch& batch, int first_turn) const;
    void add_positions(const Compute& compute, const Batch& batch) const;
    void run_block(const Compute& compute, const Batch& batch, const Block& block) const;
    void norm_rows(const Compute& compute, const Count& rows, const Norm& norm, bool in_place) const;

    Wav2Vec2Config config_;
    int frames_, stored_;  // F; width of a head as stored
    std::vector<Layer> layers_;
    const float *first_weight_ = nullptr, *first_bias_ = nullptr;
    Norm feature_norm_, norm_;
    Linear feature_projection_, positions_;  // of all groups, one behind the other
    int before_ = 0, position_rows_ = 0;     // frames in front of the first in the windows; rows of a group
    std::vector<Block> blocks_;

    int turns_at_once_ = 1;
    void* convolved_[2] = {nullptr, nullptr};
    float *sums_ = nullptr, *moments_ = nullptr, *hidden_ = nullptr;
    void *features_ = nullptr, *normed_ = nullptr, *placed_ = nullptr, *qkv_ = nullptr, *mixed_ = nullptr,
         *expanded_ = nullptr;
    RowMap position_windows_;
};

}  // namespace visavis::cuda
