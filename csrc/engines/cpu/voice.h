// One voice's turn, as the speech encoders take it.
#pragma once
#include <span>

namespace visavis::cpu {

// `state` (of the log-mel encoder) stands at the turn's beginning and is moved to its end.
struct Voice {
    float* state = nullptr;
    std::span<const float> samples;  // of the turn, then what is known past it; what is missing is silence
};

}  // namespace visavis::cpu
