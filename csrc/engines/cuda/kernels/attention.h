// Attention with running maxima: keys and values go through shared memory in tiles, their products with queries and
// weights through the tensor cores, nothing of size (queries, keys) exists.
//
// A block has 16 * kQueryWarps queries of one head.  With one key warp its warps share every tile of keys; with four,
// each takes every fourth tile, and the four results are merged at the end: for few queries.
#pragma once
#include "engines/cuda/kernels/common.h"

namespace visavis::cuda {

template <int width, int query_warps, int key_warps>
struct AttentionTile {
    static constexpr int kWidth = width, kQueryWarps = query_warps, kKeyWarps = key_warps;
    static constexpr int kQueries = 16 * query_warps, kKeys = key_warps == 1 ? 64 : 16;
    static constexpr int kThreads = kLanes * query_warps * key_warps;
    static constexpr int kPitch = width + 8;
    static constexpr int kStageHalves = 2 * kKeys * kPitch;  // keys, then values
    static constexpr int kQueryBytes = kQueries * kPitch * 2;
    static constexpr int kPastBytes = key_warps * 2 * kStageHalves * 2;  // two stages
    static constexpr int kBiasBytes = key_warps * 2 * kKeys * 4;
    static constexpr int kMergePitch = width + 2;  // sums, then maximum and weight
    static constexpr int kMergeBytes = key_warps > 1 ? key_warps * kQueries * kMergePitch * 4 : 0;
    static constexpr int kWorkBytes = kQueryBytes + kPastBytes + kBiasBytes;
    static constexpr int kBytes = kWorkBytes > kMergeBytes ? kWorkBytes : kMergeBytes;
};

template <class T, class Tile>
class AttentionBlock {
  public:
    __device__ explicit AttentionBlock(const AttentionParams& p) : p_(p) {}

    __device__ static int query_blocks(const AttentionParams& p) {
        return (p.count.rows + Tile::kQueries - 1) / Tile::kQueries;
    }
    __device__ int n_items() const { return p_.count.turns() * p_.sequences * p_.heads * query_blocks(p_); }

    __device__ void run(int item) {
        first_query_ = item % query_blocks(p_) * Tile::kQueries;
        item /= query_blocks(p_);
        head_ = item % p_.heads;
        turn_ = item / p_.heads;
        find_past();
        reset();
        copy_queries();
        const int tiles = (n_keys_ + Tile::kKeys - 1) / Tile::kKeys;
        const int rounds = (tiles + Tile::kKeyWarps - 1) / Tile::kKeyWarps;
        copy_past(0);
        commit_copies();
        for (int round = 0; round < rounds; ++round) {
            if (round + 1 < rounds) copy_past(round + 1);
            commit_copies();
            wait_copies<1>();
            block_barrier();
            if (round == 0) load_queries();
            add(round);
            block_barrier();
        }
        wait_copies<0>();
        finish();
    }

  private:
    // ---- places
    __device__ static int query_warp() { return warp_index() % Tile::kQueryWarps; }
    __device__ static int key_warp() { return warp_index() / Tile::kQueryWarps; }
    __device__ static T* queries() { return reinterpret_cast<T*>(shared_memory()); }
    __device__ static T* past(int round) {
        return reinterpret_cast<T*>(shared_memory() + Tile::kQueryBytes) +
               (key_warp() * 2 + round % 2) * Tile::kStageHalves;
    }
    __device__ static float* biases(int round) {
        return reinterpret_cast<float*>(shared_memory() + Tile::kQueryBytes + Tile::kPastBytes) +
               (key_warp() * 2 + round % 2) * Tile::kKeys;
    }

    __device__ void find_past() {
        const std::int64_t width = std::int64_t{p_.heads} * p_.head_width;
        if (p_.turns) {
            const Turn& turn = p_.turns[turn_];
            keys_ = halves<T>(turn.history) + p_.layer + head_ * p_.head_width;
            key_stride_ = 2 * width;
            n_keys_ = turn.seen * p_.count.rows;
            place_ = turn.place;
        } else {
            keys_ = halves<T>(p_.q) + std::int64_t{turn_} * p_.count.rows * p_.q_stride + width + head_ * p_.head_width;
            key_stride_ = p_.q_stride;
            n_keys_ = p_.count.rows;
        }
        value_offset_ = width;
    }

    __device__ void reset() {
        for (auto& column : out_) {
            for (float& x : column) x = 0;
        }
        for (int i = 0; i < 2; ++i) {
            most_[i] = kLeast;
            weight_[i] = 0;
        }
    }

    // ---- copies
    __device__ void copy_queries() const {
        constexpr int kPieces = Tile::kWidth / 8;
        const T* from = halves<T>(p_.q) + head_ * p_.head_width;
        for (int i = thread_index(); i < Tile::kQueries * kPieces; i += Tile::kThreads) {
            const int query = first_query_ + i / kPieces;
            const bool there = query < p_.count.rows;
            const std::int64_t row = std::int64_t{turn_} * p_.count.rows + query;
            copy_async(queries() + i / kPieces * Tile::kPitch + i % kPieces * 8,
                       there ? from + row * p_.q_stride + i % kPieces * 8 : from, there ? 16 : 0);
        }
    }

    // The tile that this warp's group takes in a round, and the bias of its keys; keys that are not there weigh
    // nothing.
    __device__ void copy_past(int round) const {
        constexpr int kPieces = Tile::kWidth / 8, kGroup = Tile::kQueryWarps * kLanes;
        T* const to = past(round);
        const int first = (round * Tile::kKeyWarps + key_warp()) * Tile::kKeys;
        const int thread = thread_index() % kGroup;
        for (int i = thread; i < Tile::kKeys * kPieces; i += kGroup) {
            const int key = first + i / kPieces, piece = i % kPieces * 8;
            const bool there = key < n_keys_;
            const T* from = there ? keys_ + key * key_stride_ + piece : keys_;
            copy_async(to + i / kPieces * Tile::kPitch + piece, from, there ? 16 : 0);
            copy_async(to + (Tile::kKeys + i / kPieces) * Tile::kPitch + piece, there ? from + value_offset_ : from,
                       there ? 16 : 0);
        }
        for (int i = thread; i < Tile::kKeys; i += kGroup) biases(round)[i] = bias_of(first + i);
    }

    __device__ float bias_of(int key) const {
        if (key >= n_keys_) return kLeast;
        if (!p_.turn_bias) return 0;
        int distance = place_ - key / p_.count.rows;
        if (distance < 0) distance += p_.context;
        return p_.turn_bias[head_ * p_.context + distance] * kLog2E;
    }

    __device__ void load_queries() {
        const T* row = queries() + (16 * query_warp() + lane_index() % 16) * Tile::kPitch + lane_index() / 16 * 8;
        for (int k = 0; k < Tile::kWidth / 16; ++k) load_matrices(query_[k], row + 16 * k);
    }

    // ---- one tile of keys
    __device__ void add(int round) {
        const T* const keys = past(round);
        float logits[Tile::kKeys / 8][4];
#pragma unroll
        for (int n = 0; n < Tile::kKeys / 8; ++n) {
            for (float& x : logits[n]) x = 0;
#pragma unroll
            for (int k = 0; k < Tile::kWidth / 32; ++k) {
                std::uint32_t b[4];
                load_matrices(b, keys + (8 * n + lane_index() % 8) * Tile::kPitch + 32 * k + lane_index() / 8 * 8);
                multiply_add<T>(logits[n], query_[2 * k], b[0], b[1]);
                multiply_add<T>(logits[n], query_[2 * k + 1], b[2], b[3]);
            }
        }
        weigh(logits, biases(round));
        const T* const values = keys + Tile::kKeys * Tile::kPitch;
#pragma unroll
        for (int k = 0; k < Tile::kKeys / 16; ++k) {
            std::uint32_t a[4];
            for (int i = 0; i < 2; ++i) {
                a[2 * i] = rounded_pair<T>(logits[2 * k + i][0], logits[2 * k + i][1]);
                a[2 * i + 1] = rounded_pair<T>(logits[2 * k + i][2], logits[2 * k + i][3]);
            }
#pragma unroll
            for (int n = 0; n < Tile::kWidth / 16; ++n) {
                std::uint32_t b[4];
                load_matrices_transposed(
                    b, values + (16 * k + lane_index() % 16) * Tile::kPitch + 16 * n + lane_index() / 16 * 8);
                multiply_add<T>(out_[2 * n], a, b[0], b[1]);
                multiply_add<T>(out_[2 * n + 1], a, b[2], b[3]);
            }
        }
    }

    // Logits become weights, in powers of two, relative to the largest so far; what was summed before shrinks with it.
    __device__ void weigh(float (&logits)[Tile::kKeys / 8][4], const float* bias) {
        const float scale = p_.scale * kLog2E;
        float most[2] = {most_[0], most_[1]};
#pragma unroll
        for (int n = 0; n < Tile::kKeys / 8; ++n) {
            for (int i = 0; i < 4; ++i) {
                logits[n][i] = logits[n][i] * scale + bias[8 * n + 2 * (lane_index() % 4) + i % 2];
                most[i / 2] = fmaxf(most[i / 2], logits[n][i]);
            }
        }
        float shrink[2];
        for (int i = 0; i < 2; ++i) {
            most[i] = fmaxf(most[i], from_lane_xor(most[i], 1));
            most[i] = fmaxf(most[i], from_lane_xor(most[i], 2));
            shrink[i] = exp2f(most_[i] - most[i]);
            most_[i] = most[i];
            weight_[i] *= shrink[i];
        }
#pragma unroll
        for (int n = 0; n < Tile::kKeys / 8; ++n) {
            for (int i = 0; i < 4; ++i) {
                logits[n][i] = exp2f(logits[n][i] - most[i / 2]);
                weight_[i / 2] += logits[n][i];
            }
        }
        for (auto& column : out_) {
            for (int i = 0; i < 4; ++i) column[i] *= shrink[i / 2];
        }
    }

    // ---- the end
    __device__ void finish() {
        for (float& weight : weight_) {
            weight += from_lane_xor(weight, 1);
            weight += from_lane_xor(weight, 2);
        }
        if constexpr (Tile::kKeyWarps == 1) {
            const float share[2] = {1.0F / weight_[0], 1.0F / weight_[1]};
            for (int n = 0; n < Tile::kWidth / 8; ++n) {
                store(row_of(0), column_of(n), out_[n][0] * share[0], out_[n][1] * share[0]);
                store(row_of(1), column_of(n), out_[n][2] * share[1], out_[n][3] * share[1]);
            }
            block_barrier();  // shared memory is free
        } else {
            merge();
        }
    }

    __device__ static int row_of(int i) { return 16 * query_warp() + lane_index() / 4 + 8 * i; }
    __device__ static int column_of(int n) { return 8 * n + 2 * (lane_index() % 4); }

    __device__ void store(int query, int column, float first, float second) const {
        if (first_query_ + query >= p_.count.rows) return;
        const std::int64_t row = std::int64_t{turn_} * p_.count.rows + first_query_ + query;
        T* out = halves<T>(p_.out) + row * p_.out_stride + head_ * p_.head_width + column;
        *reinterpret_cast<std::uint32_t*>(out) = rounded_pair<T>(first, second);
    }

    __device__ void merge() {
        auto* all = reinterpret_cast<float*>(shared_memory());
        float* mine = all + key_warp() * Tile::kQueries * Tile::kMergePitch;
        for (int i = 0; i < 2; ++i) {
            float* row = mine + row_of(i) * Tile::kMergePitch;
            for (int n = 0; n < Tile::kWidth / 8; ++n) {
                row[column_of(n)] = out_[n][2 * i];
                row[column_of(n) + 1] = out_[n][2 * i + 1];
            }
            row[Tile::kWidth] = most_[i];  // the same for the four lanes of a row
            row[Tile::kWidth + 1] = weight_[i];
        }
        block_barrier();
        constexpr int kPairs = Tile::kWidth / 2;
        for (int i = thread_index(); i < Tile::kQueries * kPairs; i += Tile::kThreads) {
            const float* row = all + i / kPairs * Tile::kMergePitch;
            constexpr int kApart = Tile::kQueries * Tile::kMergePitch;
            float most = kLeast;
            for (int w = 0; w < Tile::kKeyWarps; ++w) most = fmaxf(most, row[w * kApart + Tile::kWidth]);
            float weight = 0, first = 0, second = 0;
            for (int w = 0; w < Tile::kKeyWarps; ++w) {
                const float* part = row + w * kApart;
                const float share = exp2f(part[Tile::kWidth] - most);
                weight += share * part[Tile::kWidth + 1];
                first += share * part[i % kPairs * 2];
                second += share * part[i % kPairs * 2 + 1];
            }
            store(i / kPairs, i % kPairs * 2, first / weight, second / weight);
        }
        block_barrier();  // shared memory is free
    }

    static constexpr float kLog2E = 1.44269504F;
    static constexpr float kLeast = -1e30F;  // finite: differences of two such logits are 0, not NaN

    const AttentionParams& p_;
    int first_query_ = 0, head_ = 0, turn_ = 0, n_keys_ = 0, place_ = 0;
    const T* keys_ = nullptr;
    std::int64_t key_stride_ = 0, value_offset_ = 0;
    std::uint32_t query_[Tile::kWidth / 16][4];
    float out_[Tile::kWidth / 8][4];
    float most_[2], weight_[2];  // of the rows of this lane: lane / 4 and 8 further
};

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads) attention_kernel(const __grid_constant__ AttentionParams p) {
    if constexpr (kMultiplies<T>) {
        AttentionBlock<T, Tile> block(p);
        for (int item = block_index(); item < block.n_items(); item += n_blocks()) block.run(item);
    }
}

template <class T, class Tile>
void start_attention(const Launcher& launcher, const AttentionParams& p) {
    const int blocks = (p.count.rows + Tile::kQueries - 1) / Tile::kQueries;
    launch(launcher, attention_kernel<T, Tile>, p,
           {p.count.most * p.sequences * p.heads * blocks, Tile::kThreads, static_cast<std::size_t>(Tile::kBytes)});
}

template <class T, int width>
void attention_of_width(const Launcher& launcher, const AttentionParams& p) {
    const int wide = p.count.most * p.sequences * p.heads * ((p.count.rows + 63) / 64);
    if (p.count.rows <= 16 || wide < launcher.multiprocessors) {
        start_attention<T, AttentionTile<width, 1, 4>>(launcher, p);
    } else {
        start_attention<T, AttentionTile<width, 4, 1>>(launcher, p);
    }
}

template <class T>
void attention_of(const Launcher& launcher, const AttentionParams& p) {
    p.head_width == 32 ? attention_of_width<T, 32>(launcher, p) : attention_of_width<T, 64>(launcher, p);
}

}  // namespace visavis::cuda
