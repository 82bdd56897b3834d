// What the tensor cores do, for bfloat16.
#include "engines/cuda/kernels/attention.h"
#include "engines/cuda/kernels/fused_denoiser.h"
#include "engines/cuda/kernels/gemm.h"
#include "engines/cuda/kernels/products.h"

namespace visavis::cuda {

void gemm_bf16(const Launcher& launcher, const GemmParams& params) { gemm_of<Bf16>(launcher, params); }
void attention_bf16(const Launcher& launcher, const AttentionParams& params) { attention_of<Bf16>(launcher, params); }
void fused_denoiser_bf16(const Launcher& launcher, const FusedParams& params) { fused_of<Bf16>(launcher, params); }
bool fused_denoiser_fits(const FusedParams& params) { return fused_fits(params); }

}  // namespace visavis::cuda
