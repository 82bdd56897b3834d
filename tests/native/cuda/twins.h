// Every kernel of engines/cuda/kernels.h in plain loops, on host memory: the same structs, with host pointers.
// Sums are double; what the kernel rounds to a half is rounded here, too.
#pragma once
#include "engines/cuda/kernels.h"

namespace visavis::cuda::twin {

void gemm(Half half, const GemmParams& p);
void exact_gemm(Half half, const ExactGemmParams& p);
void attention(Half half, const AttentionParams& p);
void norm(Half half, const NormParams& p);
void embed(const EmbedParams& p);
void read_out(const ReadOutParams& p);
void keep_tokens(const KeepParams& p);
void motion_rows(Half half, const MotionRowsParams& p);
void gather_tokens(Half half, const GatherParams& p);
void load_voices(Half half, const VoicesParams& p);
void save_voices(Half half, const VoicesParams& p);
void first_convolution(Half half, const FirstConvolutionParams& p);
void interpolate(Half half, const InterpolateParams& p);
void place_groups(Half half, const PlaceGroupsParams& p);
void draw_noise(const NoiseParams& p);
void start_sampler(Half half, const StartParams& p);
void activate_condition(Half half, const ActivateParams& p);
void advance_sampler(Half half, const AdvanceParams& p);
void fused_denoiser(Half half, const FusedParams& p);
void finish(const FinishParams& p);

}  // namespace visavis::cuda::twin
