#include "engines/cuda/kernels/products.h"

namespace visavis::cuda {

void gemm(const Launcher& launcher, Half half, const GemmParams& params) {
    half == Half::kBf16 ? gemm_bf16(launcher, params) : gemm_f16(launcher, params);
}

void attention(const Launcher& launcher, Half half, const AttentionParams& params) {
    half == Half::kBf16 ? attention_bf16(launcher, params) : attention_f16(launcher, params);
}

void fused_denoiser(const Launcher& launcher, Half half, const FusedParams& params) {
    half == Half::kBf16 ? fused_denoiser_bf16(launcher, params) : fused_denoiser_f16(launcher, params);
}

}  // namespace visavis::cuda
