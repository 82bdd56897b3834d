// The diffusion process (cosine, 1000 steps) and the times at which a sampler evaluates it.
#pragma once
#include <vector>

#include "model_file/model_config.h"

namespace visavis::cpu {

// One evaluation of the network and the update that follows it.
struct SamplerStep {
    int time = 0;  // index 0..999 of the full process
    bool last = false;
    // ancestral: x <- x0_weight * x_0 + x_weight * x + temperature * exp(log variance / 2) * noise (none after the
    // last)
    float x0_weight = 0, x_weight = 0;
    float log_beta = 0, posterior_log_variance = 0;
    // dpm2m: x <- x_weight * x + x0_weight * (x_0 + correction * (x_0 - previous x_0)); the last one gives x_0
    float correction = 0;
};

// Steps from the noisiest to the cleanest.  Throws Error(kInvalidArgument) for a number that the sampler does not take.
std::vector<SamplerStep> sampler_steps(Sampler sampler, int steps);
void check_steps(Sampler sampler, int steps);
int least_steps(Sampler sampler);

}  // namespace visavis::cpu
