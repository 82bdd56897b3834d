// What the parts of the network share while they start kernels, or while a graph records them.
#pragma once
#include "engines/cuda/kernels.h"
#include "engines/cuda/weights.h"

namespace visavis::cuda {

// How products are started.
struct Compute {
    Launcher launcher;
    Half half = Half::kBf16;
    float* partial = nullptr;  // GemmRoom
    int* counters = nullptr;

    GemmParams product(const Linear& linear, const Count& count, const void* a, const RowMap& a_rows) const {
        GemmParams p;
        p.count = count;
        p.a = a;
        p.a_rows = a_rows;
        p.weight = linear.weight;
        p.bias = linear.bias;
        p.partial = partial;
        p.counters = counters;
        return p;
    }
    void to_float(GemmParams p, float* out, const RowMap& rows) const {
        p.out = out;
        p.c_rows = rows;
        gemm(launcher, half, p);
    }
    void to_half(GemmParams p, void* out, const RowMap& rows) const {
        p.out_half = out;
        p.c_rows = rows;
        gemm(launcher, half, p);
    }
    void exact(const ExactLinear& linear, const Count& count, const float* a, const RowMap& a_rows, float* out,
               const RowMap& rows) const {
        ExactGemmParams p;
        p.count = count;
        p.a = a;
        p.a_rows = a_rows;
        p.weight = linear.weight;
        p.bias = linear.bias;
        p.n = linear.n;
        p.k = linear.k;
        p.out = out;
        p.c_rows = rows;
        exact_gemm(launcher, half, p);
    }
};

inline GemmParams with(GemmParams p, Activation activation) {
    p.activation = activation;
    return p;
}
inline GemmParams accumulating(GemmParams p) {
    p.accumulate = true;
    return p;
}

// The turns of a batch in device memory.
struct Batch {
    const int* n_turns = nullptr;
    int most = 0;  // turns that there may be
    const Turn* turns = nullptr;
    const float* samples = nullptr;  // (turns, user's and agent's)
    std::int64_t samples_stride = 0;
    int user_samples = 0;
    const float* user_motion = nullptr;     // (turns, F, C) raw
    const std::uint8_t* present = nullptr;  // (turns, F)
    const void* styles = nullptr;           // half (turns, pitch of S)
    const float* given_noise = nullptr;
    float* motion = nullptr;  // (turns, F, C) raw, out

    Count rows(int of_turn) const { return {n_turns, most, of_turn}; }
};

// Speech tokens of both voices of each turn: row (turn, side, frame) lies at rows.at(..).
struct Features {
    const void* values = nullptr;  // half
    RowMap rows;
};

inline RowMap dense(std::int64_t stride) { return {stride, nullptr}; }

}  // namespace visavis::cuda
