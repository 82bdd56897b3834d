// The functions of csrc/engines/cuda/device/instructions.h on the processor, by the emulator.  The layouts of the
// matrix instructions are written down here from the PTX manual (sections "Matrix Fragments for mma.m16n8k16" and
// "ldmatrix"), apart from the kernels that rely on them.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "emulator.h"

namespace visavis::cuda {

using std::abs;  // what device code finds without a namespace
using std::exp;
using std::max;
using std::min;

struct Bf16 {
    std::uint16_t bits;
};
struct F16 {
    std::uint16_t bits;
};
template <class T>
constexpr bool kMultiplies = true;

inline void round_to(Bf16& out, float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
    out.bits = static_cast<std::uint16_t>(std::isnan(x) ? 0x7FFFU : rounded);  // poison stays poison
}
inline void round_to(F16& out, float x) {
    constexpr float kLargest = 65504.0F;
    const float held = x > kLargest ? kLargest : x < -kLargest ? -kLargest : x;
    out.bits = std::bit_cast<std::uint16_t>(static_cast<_Float16>(held));
}
template <class T>
T rounded(float x) {
    T out;
    round_to(out, x);
    return out;
}
template <class T>
std::uint32_t rounded_pair(float first, float second) {
    return rounded<T>(first).bits | static_cast<std::uint32_t>(rounded<T>(second).bits) << 16;
}

inline int thread_index() { return emulator::thread_index(); }
inline int block_index() { return emulator::block_index(); }
inline int n_threads() { return emulator::n_threads(); }
inline int n_blocks() { return emulator::n_blocks(); }
inline char* shared_memory() { return static_cast<char*>(emulator::shared_memory()); }

inline void block_barrier() { emulator::block_barrier(); }
inline void warp_barrier() {
    emulator::warp_operation("warp_barrier", nullptr, [](void* const(&)[32]) {});
}
inline void grid_barrier() { emulator::grid_barrier(); }
inline void fence() {}
inline int count_up(int* counter) { return (*counter)++; }

inline float load_fresh(const float* at) { return *at; }
inline uint4 load_fresh(const uint4* at) { return *at; }

inline float from_lane_xor(float x, int mask) {
    struct Operand {
        float x;
        int mask;
        float out;
    } operand{x, mask, 0};
    emulator::warp_operation("from_lane_xor", &operand, [](void* const(&lanes)[32]) {
        for (int lane = 0; lane < 32; ++lane) {
            auto& mine = *static_cast<Operand*>(lanes[lane]);
            mine.out = static_cast<const Operand*>(lanes[lane ^ mine.mask])->x;
        }
    });
    return operand.out;
}

inline void copy_async(void* shared, const void* global, int n_valid) {
    emulator::copy_async(shared, global, n_valid, 16);
}
inline void commit_copies() { emulator::commit_copies(); }
template <int n_left>
void wait_copies() {
    emulator::wait_copies(n_left);
}

template <bool transposed>
void load_matrices_as(std::uint32_t (&out)[4], const void* row) {
    struct Operand {
        const void* row;
        std::uint32_t* out;
    } operand{row, out};
    emulator::warp_operation("load_matrices", &operand, [](void* const(&lanes)[32]) {
        for (int matrix = 0; matrix < 4; ++matrix) {
            std::uint16_t values[8][8];
            for (int r = 0; r < 8; ++r) {
                std::memcpy(values[r], static_cast<const Operand*>(lanes[8 * matrix + r])->row, 16);
            }
            for (int lane = 0; lane < 32; ++lane) {
                const int g = lane / 4, t = 2 * (lane % 4);
                const std::uint32_t low = transposed ? values[t][g] : values[g][t];
                const std::uint32_t high = transposed ? values[t + 1][g] : values[g][t + 1];
                static_cast<Operand*>(lanes[lane])->out[matrix] = low | high << 16;
            }
        }
    });
}
inline void load_matrices(std::uint32_t (&out)[4], const void* row) { load_matrices_as<false>(out, row); }
inline void load_matrices_transposed(std::uint32_t (&out)[4], const void* row) { load_matrices_as<true>(out, row); }

inline float value_of(Bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }
inline float value_of(F16 x) { return static_cast<float>(std::bit_cast<_Float16>(x.bits)); }

template <class T>
void multiply_add(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    struct Operand {
        float* sum;
        const std::uint32_t* a;
        std::uint32_t b[2];
    } operand{sum, a, {b0, b1}};
    emulator::warp_operation("multiply_add", &operand, [](void* const(&lanes)[32]) {
        const auto half = [](std::uint32_t pair, int i) {
            return value_of(T{static_cast<std::uint16_t>(i == 0 ? pair : pair >> 16)});
        };
        float a_values[16][16], b_values[16][8], sums[16][8];
        for (int lane = 0; lane < 32; ++lane) {
            const auto& mine = *static_cast<const Operand*>(lanes[lane]);
            const int group = lane >> 2, in_group = lane % 4;
            for (int i = 0; i < 8; ++i) {  // a_i of the manual
                const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
                const int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
                a_values[row][column] = half(mine.a[i / 2], i % 2);
            }
            for (int i = 0; i < 4; ++i) {  // b_i
                const int row = in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0);
                b_values[row][group] = half(mine.b[i / 2], i % 2);
            }
            for (int i = 0; i < 4; ++i) {  // c_i
                sums[i < 2 ? group : group + 8][in_group * 2 + (i & 1)] = mine.sum[i];
            }
        }
        for (int m = 0; m < 16; ++m) {
            for (int k = 0; k < 16; ++k) {
                for (int n = 0; n < 8; ++n) sums[m][n] += a_values[m][k] * b_values[k][n];
            }
        }
        for (int lane = 0; lane < 32; ++lane) {
            auto& mine = *static_cast<Operand*>(lanes[lane]);
            for (int i = 0; i < 4; ++i) mine.sum[i] = sums[lane / 4 + (i < 2 ? 0 : 8)][2 * (lane % 4) + i % 2];
        }
    });
}

}  // namespace visavis::cuda
