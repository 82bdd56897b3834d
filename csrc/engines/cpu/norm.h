// LayerNorm over rows.
#pragma once
#include "engines/cpu/compute.h"

namespace visavis::cpu {

struct Norm {
    Buffer gain, bias;
};

// out = (in - mean) / sqrt(variance + eps) * gain + bias, row by row; out may be in.
void norm_rows(Compute& compute, const Norm& norm, float eps, Rows in, Rows out);

}  // namespace visavis::cpu
