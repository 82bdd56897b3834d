// What the kernels need of the hardware beyond plain C++: the place of a thread, shared memory, barriers, asynchronous
// copies, matrix instructions.  tests/native/cuda_emulator has a file of this name with the same functions for the
// processor; kernels that keep to them run on both.
#pragma once
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <cstdint>

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define VISAVIS_SM75
#endif

namespace visavis::cuda {

// ---- numbers that products are made of; sums are float
struct Bf16 {
    std::uint16_t bits;
};
struct F16 {
    std::uint16_t bits;
};

// Whether the processor that is compiled for multiplies them.
template <class T>
constexpr bool kMultiplies = true;
#if defined(VISAVIS_SM75)
template <>
inline constexpr bool kMultiplies<Bf16> = false;
#endif

// To nearest, halves to even; what is beyond F16 becomes its largest; what is no number stays none.
__device__ inline void round_to(Bf16& out, float x) {
#if defined(VISAVIS_SM75)
    const std::uint32_t bits = __float_as_uint(x), rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
    out.bits = static_cast<std::uint16_t>(x == x ? rounded : 0x7FFFU);
#else
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(out.bits) : "f"(x));
#endif
}
__device__ inline void round_to(F16& out, float x) {
    constexpr float kLargest = 65504.0F;
    const float held = x > kLargest ? kLargest : x < -kLargest ? -kLargest : x;  // fminf would lose a NaN
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out.bits) : "f"(held));
}
template <class T>
__device__ inline T rounded(float x) {
    T out;
    round_to(out, x);
    return out;
}
// Two of them as the matrix instructions take them, the first one low.
template <class T>
__device__ inline std::uint32_t rounded_pair(float first, float second) {
    return rounded<T>(first).bits | static_cast<std::uint32_t>(rounded<T>(second).bits) << 16;
}
#if !defined(VISAVIS_SM75)
template <>
__device__ inline std::uint32_t rounded_pair<Bf16>(float first, float second) {
    std::uint32_t out;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(second), "f"(first));
    return out;
}
#endif

__device__ inline float value_of(Bf16 x) { return __uint_as_float(static_cast<std::uint32_t>(x.bits) << 16); }
__device__ inline float value_of(F16 x) {
    float out;
    asm("cvt.f32.f16 %0, %1;" : "=f"(out) : "h"(x.bits));
    return out;
}

// ---- places
__device__ inline int thread_index() { return static_cast<int>(threadIdx.x); }
__device__ inline int block_index() { return static_cast<int>(blockIdx.x); }
__device__ inline int n_threads() { return static_cast<int>(blockDim.x); }
__device__ inline int n_blocks() { return static_cast<int>(gridDim.x); }

__device__ inline char* shared_memory() {
    extern __shared__ __align__(128) char memory[];
    return memory;
}

// ---- barriers
__device__ inline void block_barrier() { __syncthreads(); }
__device__ inline void warp_barrier() { __syncwarp(); }
__device__ inline void grid_barrier() { cooperative_groups::this_grid().sync(); }
__device__ inline void fence() { __threadfence(); }
__device__ inline int count_up(int* counter) { return atomicAdd(counter, 1); }  // gives what it was

// Loads of what other blocks of the same launch wrote: from the second-level cache, never a stale line of the first.
__device__ inline float load_fresh(const float* at) { return __ldcg(at); }
__device__ inline uint4 load_fresh(const uint4* at) { return __ldcg(at); }

__device__ inline float from_lane_xor(float x, int mask) { return __shfl_xor_sync(0xFFFFFFFFU, x, mask); }

// ---- copies of 16 bytes from device memory to shared memory; of the first n_valid bytes, zeros behind them
__device__ inline void copy_async(void* shared, const void* global, int n_valid) {
#if defined(VISAVIS_SM75)
    if (n_valid == 16) {
        *static_cast<uint4*>(shared) = *static_cast<const uint4*>(global);
    } else {
        for (int i = 0; i < 8; ++i) {
            static_cast<std::uint16_t*>(shared)[i] = 2 * i < n_valid ? static_cast<const std::uint16_t*>(global)[i] : 0;
        }
    }
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))),
                 "l"(global), "r"(n_valid)
                 : "memory");
#endif
}
__device__ inline void commit_copies() {
#if !defined(VISAVIS_SM75)
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Waits until at most n_left groups of this thread are under way.
template <int n_left>
__device__ inline void wait_copies() {
#if !defined(VISAVIS_SM75)
    asm volatile("cp.async.wait_group %0;" ::"n"(n_left) : "memory");
#endif
}

// ---- matrices
// Four 8x8 matrices of 16-bit values: lane l brings the address of row l % 8 of matrix l / 8 (16 bytes), and gets of
// each the values (l / 4, 2 * (l % 4)) and its neighbour; transposed: (2 * (l % 4), l / 4) and the one below.
__device__ inline void load_matrices(std::uint32_t (&out)[4], const void* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
}
__device__ inline void load_matrices_transposed(std::uint32_t (&out)[4], const void* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
}

// sum (16, 8) += a (16, 16) * b (16, 8).  With g = lane / 4 and t = lane % 4 a lane holds
//   a: (g, 2t) (g + 8, 2t) (g, 2t + 8) (g + 8, 2t + 8), each with its right neighbour;
//   b: (2t, g) (2t + 8, g), each with the one below;   sum: (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1).
template <class T>
__device__ void multiply_add(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1);

template <>
__device__ inline void multiply_add<Bf16>(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                          std::uint32_t b1) {
#if defined(VISAVIS_SM75)
    __trap();
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

template <>
__device__ inline void multiply_add<F16>(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                         std::uint32_t b1) {
#if defined(VISAVIS_SM75)  // half as deep: the left half of a with the upper half of b, then the others
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b0));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b1));
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

}  // namespace visavis::cuda
