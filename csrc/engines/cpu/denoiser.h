// The diffusion head: from the condition z of a turn and its noise to the normalised motion.
//
// A row is what is denoised together: one frame (C), or the whole turn (F*C).  Modulations (adaLN) depend on time and
// condition alone, never on x, so that those of all steps are one matrix product before the loop.
#pragma once
#include <map>
#include <vector>

#include "engines/cpu/normalisation.h"
#include "engines/cpu/schedule.h"
#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

struct DenoiseRequest {
    const float* z = nullptr;              // (F, D)
    const float* unconditional = nullptr;  // (F, D), or null: no guidance
    const float* own_before = nullptr;     // (F, C) normalised motion of the turn before
    const float* noise = nullptr;          // (1 + steps, F, C), x_T first
    std::span<const float> guidance;       // scale of each frame (F)
    float temperature = 1;                 // scales the step noise, with dpm2m x_T
    int steps = 0;
};

class Denoiser {
  public:
    Denoiser(const TensorReader& reader, Sampler sampler, const float* channel_mask);

    // out (F, C) normalised.  The first call with a number of steps prepares its tables.
    void run(const DenoiseRequest& request, float* out);
    void prepare(int steps) { plan(steps); }

  private:
    struct Block {
        Norm norm;
        Linear in, out;
    };
    struct Plan {
        std::vector<SamplerStep> steps;
        Buffer time_embedding;             // (steps, W)
        Buffer activated;                  // (steps * rows, W)
        Buffer modulation, unconditional;  // (steps * rows, modulation width)
    };
    Plan& plan(int steps);
    Buffer time_embedding(const std::vector<SamplerStep>& steps) const;
    void modulate_all(Plan& plan, const DenoiseRequest& request, const float* z, Buffer& modulation);
    void predict(const float* modulation, Rows x0, float* v);
    void modulate(Rows hidden, const Norm* norm, const float* modulation);
    void set_noise_scale(double lip_noise);
    void update_ancestral(const SamplerStep& step, const float* noise, float temperature);
    void update_dpm2m(const SamplerStep& step, bool first);
    void guide(std::span<const float> guidance);
    void finish(const DenoiseRequest& request, float* out) const;

    const Kernels* kernels_;
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
    Buffer condition_, embedded_, hidden_, normed_, inner_;
    Buffer x_, x0_, previous_, unguided_, v_;  // (rows, row) = (F, C)
};

}  // namespace visavis::cpu
