// The sampler, value by value: shared by the fused head and the head of single kernels.
#pragma once
#include "engines/cuda/kernels/common.h"

namespace visavis::cuda {

// What the network said of one value: x_0 of the conditional and the unconditional row, v of the former.
struct Prediction {
    float x0, unguided, v;
};

// Moves value `column` of row `row` (of all turns) one step on.
template <class T>
__device__ void advance_value(const SamplerState& state, const Step& step, int index, int row, int column,
                              Prediction said) {
    const int turn_index = row / state.n_rows, values = state.n_rows * state.row_width;
    const int value = row % state.n_rows * state.row_width + column;  // of the turn's (F, C)
    const Turn& turn = state.turns[turn_index];
    float x0 = said.x0 * state.mask[column];
    if (state.branches == 2) {
        const float guidance = 1.0F + (turn.guidance - 1.0F) * state.shares[value / state.n_channels];
        const float unguided = said.unguided * state.mask[column];
        x0 = unguided + guidance * (x0 - unguided);
    }
    const std::int64_t at = std::int64_t{turn_index} * values + value;
    float x = state.x[at];
    if (state.ancestral) {
        x = step.x0_weight * x0 + step.x_weight * x;
        if (!step.last) {
            const float share = (said.v + 1.0F) / 2.0F;
            const float log_variance = share * step.log_beta + (1.0F - share) * step.posterior_log_variance;
            const std::int64_t of_step = std::int64_t{turn_index} * (1 + state.noise_steps) + index + 1;
            x += turn.temperature * expf(0.5F * log_variance) * state.noise[of_step * values + value] *
                 state.noise_scale[column];
        }
    } else {
        if (index > 0 && state.noise_scale[column] == 0.0F) x0 = state.previous[at];  // begun without noise
        const float estimate = index == 0 ? x0 : (1.0F + step.correction) * x0 - step.correction * state.previous[at];
        x = step.last ? x0 : step.x_weight * x + step.x0_weight * estimate;
        state.previous[at] = x0;
    }
    state.x[at] = x;
    halves<T>(state.x_half)[std::int64_t{row} * state.row_pad + column] = rounded<T>(x);
}

}  // namespace visavis::cuda
