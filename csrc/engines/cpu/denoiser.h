// The diffusion head: from the condition z of turns and their noise to the normalised motion.
//
// A row is what is denoised together: one frame (C), or the whole turn (F*C).  Modulations (adaLN) depend on time and
// condition alone, never on x, so that those of (up to 8) steps are one matrix product before the loop.  The embedding
// of the condition is always float32: in bfloat16 it made over half of the whole model's error, for a hundredth of its
// products.  What runs in every step is never 8-bit integers, which made half of their error there.  Turns of different
// sessions (B) go through it together.
#pragma once
#include <map>
#include <vector>

#include "engines/cpu/normalisation.h"
#include "engines/cpu/schedule.h"
#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

struct DenoiseTurn {
    const float* own_before = nullptr;  // (F, C) normalised motion of the turn before
    const float* noise = nullptr;       // (1 + noise_steps, F, C), x_T first
    float temperature = 1;              // scales the step noise, with dpm2m x_T
};

struct DenoiseRequest {
    std::span<const DenoiseTurn> turns;    // B
    const float* z = nullptr;              // (B * F, D)
    const float* unconditional = nullptr;  // (B * F, D), or null: no guidance
    std::span<const float> guidance;       // scale of each frame (B * F)
    int steps = 0;                         // prepared before
};

class Denoiser {
  public:
    Denoiser(const TensorReader& reader, Sampler sampler, const float* channel_mask);

    struct Scratch {
        Buffer condition, embedded, hidden, normed, inner;  // (rows, ..)
        Buffer activated;                                   // (steps * rows, W)
        Buffer modulation, unconditional;                   // (steps * rows, modulation width)
        Buffer x, x0, previous, unguided, v;                // (rows, row) = (B * F, C)
        int n_turns = 0, steps = 0;
    };
    Scratch scratch(Compute& compute, int n_turns) const;
    // Step noise that it reads after x_T: none with dpm2m, which is deterministic from there.
    int noise_steps(int steps) const { return sampler_ == Sampler::kAncestral ? steps : 0; }
    // The tables and the memory that a number of steps needs.
    void prepare(Compute& compute, int steps);
    void prepare(Compute& compute, Scratch& scratch, int steps) const;

    void run(Compute& compute, Scratch& scratch, const DenoiseRequest& request, float* out) const;  // (B * F, C)

  private:
    struct Block {
        Norm norm;
        Linear in, out;
    };
    struct Plan {
        std::vector<SamplerStep> steps;
        Buffer time_embedding;  // (steps, W)
    };
    Buffer time_embedding(Compute& compute, const std::vector<SamplerStep>& steps) const;
    void gather_condition(Scratch& scratch, const DenoiseRequest& request, const float* z) const;
    void modulate(Compute& compute, Scratch& scratch, const DenoiseRequest& request, int first) const;
    void modulate_steps(Compute& compute, Scratch& scratch, const DenoiseRequest& request, int first, const float* z,
                        Buffer& modulation) const;
    void predict(Compute& compute, Scratch& scratch, const float* modulation, Rows x0, float* v) const;
    void norm_rows(Compute& compute, Rows hidden, Rows normed, const Norm* norm, const float* modulation) const;
    void set_noise_scale(double lip_noise);
    void start(Scratch& scratch, const DenoiseRequest& request) const;
    void update_ancestral(Scratch& scratch, const SamplerStep& step, std::size_t s,
                          const DenoiseRequest& request) const;
    void update_dpm2m(Scratch& scratch, const SamplerStep& step, bool first, int n) const;
    void guide(Scratch& scratch, std::span<const float> guidance) const;
    void finish(const Scratch& scratch, const DenoiseRequest& request, float* out) const;
    int rows(const DenoiseRequest& request) const { return static_cast<int>(request.turns.size()) * n_rows_; }

    Sampler sampler_;
    int frames_, n_channels_, width_;  // F, C, D
    int n_rows_, row_width_, head_width_, head_context_, condition_width_, modulation_width_;
    Linear time_in_, time_out_, condition_embed_, input_, modulation_, output_x0_, output_v_;
    std::vector<Block> blocks_;
    Buffer mask_;            // (row)
    Buffer noise_scale_;     // (row), 0 where masked
    Buffer residual_gain_;   // (F, C), of the last own frame; empty like the scale
    Buffer residual_scale_;  // (F, C); empty: rows hold motion itself
    std::map<int, Plan> plans_;
};

}  // namespace visavis::cpu
