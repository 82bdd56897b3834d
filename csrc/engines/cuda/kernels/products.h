// The products of kernels.h by type: each type is a translation unit of its own.
#pragma once
#include "engines/cuda/kernels.h"

namespace visavis::cuda {

void gemm_bf16(const Launcher& launcher, const GemmParams& params);
void gemm_f16(const Launcher& launcher, const GemmParams& params);
void attention_bf16(const Launcher& launcher, const AttentionParams& params);
void attention_f16(const Launcher& launcher, const AttentionParams& params);
void fused_denoiser_bf16(const Launcher& launcher, const FusedParams& params);
void fused_denoiser_f16(const Launcher& launcher, const FusedParams& params);

}  // namespace visavis::cuda
