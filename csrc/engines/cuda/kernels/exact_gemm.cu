// Products in float32 on the ordinary units: 16 rows by 32 columns a block, one column a lane, k shared by the warps.
#include "engines/cuda/kernels/common.h"

namespace visavis::cuda {
namespace {

constexpr int kRows = 16, kDepth = 256;  // of a block; values of k at a time
constexpr int kWarps = kThreads / kLanes, kWarpDepth = kDepth / kWarps;
constexpr int kPitch = kDepth + 4;
constexpr std::size_t kTileBytes = sizeof(float) * kRows * kPitch;
constexpr std::size_t kSumBytes = sizeof(float) * kWarps * kRows * kLanes;
constexpr std::size_t kBytes = kTileBytes + kSumBytes;

__device__ float a_value(const ExactGemmParams& p, int row, int k) {
    const float* a = p.a + p.a_rows.at(row);
    if (!p.power) return a[k];
    return a[k] * a[k] + a[k + p.k] * a[k + p.k];
}

template <class T>
__device__ void store(const ExactGemmParams& p, int row, int column, float sum) {
    const std::int64_t at = p.c_rows.at(row) + column;
    if (p.bias) sum += p.bias[column];
    if (p.log_mel) {
        halves<T>(p.out_half)[at] = rounded<T>((logf(sum + 1e-7F) + 10.0F) / 4.0F);
    } else {
        p.out[at] = sum;
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads) exact_gemm_kernel(const __grid_constant__ ExactGemmParams p) {
    const int n_rows = p.count.total(), row_tiles = (n_rows + kRows - 1) / kRows;
    const int column_tiles = (p.n + kLanes - 1) / kLanes, pitch = column_tiles * kLanes;
    auto* tile = reinterpret_cast<float*>(shared_memory());
    float* all_sums = tile + kRows * kPitch;
    for (int item = block_index(); item < row_tiles * column_tiles; item += n_blocks()) {
        const int row = item % row_tiles * kRows, column = item / row_tiles * kLanes;
        float sums[kRows] = {};
        for (int first = 0; first < p.k; first += kDepth) {
            for (int i = thread_index(); i < kRows * kDepth; i += kThreads) {
                const int r = row + i / kDepth, k = first + i % kDepth;
                tile[i / kDepth * kPitch + i % kDepth] = r < n_rows && k < p.k ? a_value(p, r, k) : 0.0F;
            }
            block_barrier();
            const int begin = warp_index() * kWarpDepth, end = min(begin + kWarpDepth, p.k - first);
            const float* weight = p.weight + std::int64_t{first} * pitch + column + lane_index();
#pragma unroll 4
            for (int k = begin; k < end; ++k) {
                const float w = weight[std::int64_t{k} * pitch];
#pragma unroll
                for (int r = 0; r < kRows; ++r) sums[r] += tile[r * kPitch + k] * w;
            }
            block_barrier();
        }
        float* mine = all_sums + warp_index() * kRows * kLanes;
        for (int r = 0; r < kRows; ++r) mine[r * kLanes + lane_index()] = sums[r];
        block_barrier();
        for (int i = thread_index(); i < kRows * kLanes; i += kThreads) {
            float sum = 0;
            for (int w = 0; w < kWarps; ++w) sum += all_sums[w * kRows * kLanes + i];
            if (row + i / kLanes < n_rows && column + i % kLanes < p.n) {
                store<T>(p, row + i / kLanes, column + i % kLanes, sum);
            }
        }
        block_barrier();
    }
}

}  // namespace

void exact_gemm(const Launcher& launcher, Half half, const ExactGemmParams& params) {
    const int items = blocks_for(params.count.at_most(), kRows) * blocks_for(params.n, kLanes);
    const Shape shape{items, kThreads, kBytes};
    if (half == Half::kBf16) {
        launch(launcher, exact_gemm_kernel<Bf16>, params, shape);
    } else {
        launch(launcher, exact_gemm_kernel<F16>, params, shape);
    }
}

}  // namespace visavis::cuda
