// The diffusion head on the GPU; engines/cpu/denoiser.h says what is computed.  Few rows go through the fused kernel,
// all steps in one launch; more of them through single products, whose launches a graph holds.
#pragma once
#include <map>
#include <vector>

#include "engines/cuda/backbone.h"
#include "engines/cuda/batch.h"
#include "engines/cuda/turn_tokens.h"

namespace visavis::cuda {

class Denoiser {
  public:
    // fuse: whether the fused kernel may be taken.
    Denoiser(const WeightReader& reader, const ModelConfig& options, const Normalisation& normalisation,
             const std::vector<float>& guidance_shares, bool fuse);

    // The tables of a number of steps.
    void prepare(Arena& arena, int steps);
    void allocate(Arena& arena, int n_turns, int branches, int most_steps);

    // Where the backbone puts z: of branch 0 (conditional) or 1.
    Condition condition(int branch, int branches) const;
    void run(const Compute& compute, const Batch& batch, int steps, int branches) const;

    int noise_steps(int steps) const { return ancestral_ ? steps : 0; }
    std::int64_t values_of_turn() const { return std::int64_t{frames_} * n_channels_; }  // F * C

  private:
    struct Block {
        Norm norm;
        Linear in, out;
    };
    struct Plan {
        std::vector<Step> steps;
        const Step* device_steps = nullptr;
        const float* time = nullptr;  // (steps, W)
    };
    void read_output(const WeightReader& reader);
    void read_modulation(const WeightReader& reader);
    void set_noise_scale(const WeightReader& reader, double lip_noise, const std::vector<float>& channel_mask);
    std::vector<float> time_table(const std::vector<int>& times) const;
    int steps_at_once(int n_turns, int branches, int steps) const;
    SamplerState state(const Batch& batch, int steps, int branches) const;
    void draw(const Compute& compute, const Batch& batch, int steps) const;
    void modulate(const Compute& compute, const Count& rows, const Plan& plan, int first, int n_steps) const;
    FusedParams fused(const Batch& batch, const Plan& plan, int branches) const;
    void run_steps(const Compute& compute, const Batch& batch, const Plan& plan, int branches, int at_once) const;
    void predict(const Compute& compute, const Count& rows, const RowMap& x_rows, const float* modulation,
                 std::int64_t modulation_stride, bool variance) const;
    void norm_rows(const Compute& compute, const Count& rows, const Norm& norm, const float* modulation,
                   std::int64_t modulation_stride) const;

    bool ancestral_, fuse_, frame_unit_;
    int frames_, n_channels_, model_width_;  // F, C, D
    int n_rows_, row_width_, row_pad_, width_, depth_, condition_width_, n_own_;
    float coherence_;
    Sampler sampler_;
    ExactLinear condition_embed_;
    std::vector<float> time_in_, time_in_bias_, time_out_, time_out_bias_;  // on the host
    Linear input_, modulation_, output_;
    std::vector<Block> blocks_;
    const FusedBlock* fused_blocks_ = nullptr;
    const float *mask_ = nullptr, *noise_scale_ = nullptr, *shares_ = nullptr;
    const float *residual_gain_ = nullptr, *residual_scale_ = nullptr;
    Normalisation normalisation_;
    std::map<int, Plan> plans_;

    float *condition_ = nullptr, *embedded_ = nullptr, *modulations_ = nullptr, *hidden_ = nullptr,
          *predicted_ = nullptr, *x_ = nullptr, *previous_ = nullptr, *noise_ = nullptr;
    void *activated_ = nullptr, *normed_ = nullptr, *inner_ = nullptr, *x_half_ = nullptr;
    RowMap x_rows_[2];  // with one branch, with two
};

}  // namespace visavis::cuda
