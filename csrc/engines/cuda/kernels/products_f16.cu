// What the tensor cores do, for IEEE half.
#include "engines/cuda/kernels/attention.h"
#include "engines/cuda/kernels/fused_denoiser.h"
#include "engines/cuda/kernels/gemm.h"
#include "engines/cuda/kernels/products.h"

namespace visavis::cuda {

void gemm_f16(const Launcher& launcher, const GemmParams& params) { gemm_of<F16>(launcher, params); }
void attention_f16(const Launcher& launcher, const AttentionParams& params) { attention_of<F16>(launcher, params); }
void fused_denoiser_f16(const Launcher& launcher, const FusedParams& params) { fused_of<F16>(launcher, params); }

}  // namespace visavis::cuda
