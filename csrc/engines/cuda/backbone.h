// The transformer over turns on the GPU; engines/cpu/backbone.h says what is computed.
#pragma once
#include "engines/cuda/batch.h"

namespace visavis::cuda {

// What the head's condition is made of, and where it lies.
struct Condition {
    float* values = nullptr;  // of the first turn
    std::int64_t turn_stride = 0, frame_stride = 0;
    int n_own = 0, own_from = 0;
};

class Backbone {
  public:
    explicit Backbone(const WeightReader& reader);

    std::size_t history_bytes() const;  // keys and values of a slot
    void allocate(Arena& arena, int n_turns);
    // Runs the turns' tokens, writes their keys and values and, where there is a condition to fill, z.
    void run(const Compute& compute, const int* n_turns, int most, const Turn* turns, const Condition* condition) const;

  private:
    struct Block {
        Norm norm1, norm2;
        Linear qkv, projection, expand, contract;
        const float* turn_bias = nullptr;  // (heads, context)
    };
    void norm_rows(const Compute& compute, const Count& rows, const Norm& norm) const;
    void attend(const Compute& compute, const Count& rows, const Turn* turns, int layer) const;

    int width_, heads_, stored_, n_tokens_, context_, hidden_width_, frames_;
    bool relative_;
    const float *encoder_positions_ = nullptr, *diffusion_positions_ = nullptr;
    const std::int32_t* agent_tokens_ = nullptr;  // (F)
    Norm input_norm_, output_norm_;
    std::vector<Block> blocks_;

    float* hidden_ = nullptr;
    void *normed_ = nullptr, *queries_ = nullptr, *mixed_ = nullptr, *expanded_ = nullptr;
};

}  // namespace visavis::cuda
