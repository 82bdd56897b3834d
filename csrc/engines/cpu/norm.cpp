#include "engines/cpu/norm.h"

namespace visavis::cpu {

void norm_rows(Compute& compute, const Norm& norm, float eps, Rows in, Rows out) {
    const int width = static_cast<int>(norm.gain.size());
    compute.share_rows(in.rows, 4 * width, [&](int begin, int end) {
        for (int i = begin; i < end; ++i) {
            compute->layer_norm(out.row(i), in.row(i), norm.gain.data(), norm.bias.data(), eps, width);
        }
    });
}

}  // namespace visavis::cpu
