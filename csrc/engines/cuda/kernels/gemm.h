// The product on tensor cores, in three tile shapes, for one type of half.  A tile of a goes through shared memory row
// by row, the weights as they are packed; copies run some steps of k ahead of the sums.
#pragma once
#include "engines/cuda/kernels/common.h"

namespace visavis::cuda {

// A block computes kRows x kColumns, k in steps of kDepth.  Warps share it: kWarpRows x kWarpColumns of them each have
// a part of the tile, kWarpDepths of them each a part of every step of k.
template <int rows, int columns, int depth, int warp_rows, int warp_columns, int warp_depths, int stages>
struct Tile {
    static constexpr int kRows = rows, kColumns = columns, kDepth = depth, kStages = stages;
    static constexpr int kWarpRows = warp_rows, kWarpColumns = warp_columns, kWarpDepths = warp_depths;
    static constexpr int kWarps = warp_rows * warp_columns * warp_depths, kThreads = kLanes * kWarps;
    static constexpr int kRowTiles = rows / warp_rows / 16, kColumnTiles = columns / warp_columns / 8;  // of a warp
    static constexpr int kPitch = depth + 8;  // of a in shared memory: eight rows fall into different banks
    static constexpr int kWeightTiles = columns / 8 * (depth / 32);
    static constexpr int kStageBytes = rows * kPitch * 2 + kWeightTiles * 512;
    static constexpr int kSums = kRowTiles * kColumnTiles * 4;  // of a lane
    static constexpr int kReduceBytes = warp_depths > 1 ? kThreads * kSums * 4 : 0;
    static constexpr int kBytes = stages * kStageBytes > kReduceBytes ? stages * kStageBytes : kReduceBytes;
    static_assert(depth / 32 % warp_depths == 0);
};

using SmallTile = Tile<16, 64, 64, 1, 2, 2, 4>;
using MiddleTile = Tile<64, 64, 32, 2, 2, 1, 4>;
using LargeTile = Tile<128, 128, 32, 2, 4, 1, 3>;

// Where a tile of the product lies.
struct Place {
    int batch, row, column, split;
};

template <class T, class Tile>
class TileProduct {
  public:
    __device__ TileProduct(const GemmParams& p, int rows)
        : p_(p), n_rows_(rows), row_tiles_((rows + Tile::kRows - 1) / Tile::kRows) {}

    __device__ int n_items() const { return p_.n_batches * row_tiles_ * column_tiles() * p_.n_splits; }

    __device__ void run(int item) {
        place_.split = item % p_.n_splits;
        item /= p_.n_splits;
        place_.row = item % row_tiles_ * Tile::kRows;
        item /= row_tiles_;
        place_.column = item % column_tiles() * Tile::kColumns;
        place_.batch = item / column_tiles();
        clear();
        const int steps = (p_.weight.k_tiles() * 32 + Tile::kDepth - 1) / Tile::kDepth;
        const int share = (steps + p_.n_splits - 1) / p_.n_splits;
        first_ = place_.split * share;
        last_ = min(first_ + share, steps);
        multiply();
        if constexpr (Tile::kWarpDepths > 1) add_depths();
        if (p_.n_splits > 1 && !add_splits()) return;
        if (depth_of_warp() == 0) store();
    }

  private:
    __device__ int column_tiles() const { return (p_.weight.n + Tile::kColumns - 1) / Tile::kColumns; }
    __device__ static int row_of_warp() { return warp_index() % Tile::kWarpRows * (Tile::kRowTiles * 16); }
    __device__ static int column_of_warp() {
        return warp_index() / Tile::kWarpRows % Tile::kWarpColumns * (Tile::kColumnTiles * 8);
    }
    __device__ static int depth_of_warp() { return warp_index() / (Tile::kWarpRows * Tile::kWarpColumns); }
    __device__ static T* stage(int step) {
        return reinterpret_cast<T*>(shared_memory() + step % Tile::kStages * Tile::kStageBytes);
    }
    __device__ static uint4* weights_of(T* stage) {
        return reinterpret_cast<uint4*>(stage + Tile::kRows * Tile::kPitch);
    }

    // Starts the copies of one step of k.
    __device__ void copy(int step) const {
        T* const rows = stage(step);
        constexpr int kPieces = Tile::kDepth / 8;  // of a row, 16 bytes each
        const T* a = halves<T>(p_.a) + place_.batch * p_.a_batch;
        for (int i = thread_index(); i < Tile::kRows * kPieces; i += Tile::kThreads) {
            const int row = place_.row + i / kPieces, k = step * Tile::kDepth + i % kPieces * 8;
            const int left = row < n_rows_ ? min(max(p_.weight.k - k, 0), 8) : 0;
            const T* from = left > 0 ? a + p_.a_rows.at(row) + k : a;
            copy_async(rows + i / kPieces * Tile::kPitch + i % kPieces * 8, from, 2 * left);
        }
        constexpr int kDeep = Tile::kDepth / 32;
        const auto* weight = static_cast<const uint4*>(p_.weight.values) + place_.batch * p_.weight.size() / 8;
        for (int i = thread_index(); i < Tile::kWeightTiles * kLanes; i += Tile::kThreads) {
            const int column = place_.column / 8 + i / kLanes / kDeep, deep = step * kDeep + i / kLanes % kDeep;
            const bool there = column < p_.weight.n_tiles() && deep < p_.weight.k_tiles();
            const std::int64_t at = (std::int64_t{column} * p_.weight.k_tiles() + deep) * kLanes + i % kLanes;
            copy_async(weights_of(rows) + i, there ? weight + at : weight, there ? 16 : 0);
        }
    }

    __device__ void multiply_step(int step) {
        const T* const rows = stage(step);
        const uint4* const weights = weights_of(stage(step));
        constexpr int kDeep = Tile::kDepth / 32;
        for (int deep = depth_of_warp(); deep < kDeep; deep += Tile::kWarpDepths) {
            uint4 b[Tile::kColumnTiles];
#pragma unroll
            for (int j = 0; j < Tile::kColumnTiles; ++j) {
                b[j] = weights[((column_of_warp() / 8 + j) * kDeep + deep) * kLanes + lane_index()];
            }
#pragma unroll
            for (int i = 0; i < Tile::kRowTiles; ++i) {
                const T* row = rows + (row_of_warp() + 16 * i + lane_index() % 16) * Tile::kPitch + 32 * deep +
                               lane_index() / 16 * 8;
                std::uint32_t a[4];
                load_matrices(a, row);
#pragma unroll
                for (int j = 0; j < Tile::kColumnTiles; ++j) multiply_add<T>(sums_[i][j], a, b[j].x, b[j].y);
                load_matrices(a, row + 16);
#pragma unroll
                for (int j = 0; j < Tile::kColumnTiles; ++j) multiply_add<T>(sums_[i][j], a, b[j].z, b[j].w);
            }
        }
    }

    // Calls use(sum, its index) for all of this lane's.
    template <class Use>
    __device__ void each_sum(Use use) {
#pragma unroll
        for (int i = 0; i < Tile::kRowTiles; ++i) {
#pragma unroll
            for (int j = 0; j < Tile::kColumnTiles; ++j) {
#pragma unroll
                for (int k = 0; k < 4; ++k) use(sums_[i][j][k], (i * Tile::kColumnTiles + j) * 4 + k);
            }
        }
    }
    __device__ void clear() {
        each_sum([](float& sum, int) { sum = 0; });
    }

    __device__ void multiply() {
        for (int i = 0; i < Tile::kStages - 1; ++i) {
            if (first_ + i < last_) copy(first_ + i);
            commit_copies();
        }
        for (int step = first_; step < last_; ++step) {
            wait_copies<Tile::kStages - 2>();
            block_barrier();  // this step is there for all, and the one before is no longer read
            if (step + Tile::kStages - 1 < last_) copy(step + Tile::kStages - 1);
            commit_copies();
            multiply_step(step);
        }
        wait_copies<0>();
        block_barrier();  // shared memory is free
    }

    // Warps of the same part of the tile add up what each has of k, in order.
    __device__ void add_depths() {
        auto* all = reinterpret_cast<float*>(shared_memory());
        float* mine = all + thread_index() * Tile::kSums;
        each_sum([&](float& sum, int i) { mine[i] = sum; });
        block_barrier();
        constexpr int kApart = Tile::kWarpRows * Tile::kWarpColumns * kLanes * Tile::kSums;
        if (depth_of_warp() == 0) {
            for (int depth = 1; depth < Tile::kWarpDepths; ++depth) {
                each_sum([&](float& sum, int i) { sum += mine[depth * kApart + i]; });
            }
        }
        block_barrier();
    }

    // Blocks that share a tile leave their sums in memory; the last one to come adds them, in order.  True for that
    // one.
    __device__ bool add_splits() {
        constexpr int kTileSums = Tile::kRows * Tile::kColumns;
        const int tile =
            (place_.batch * column_tiles() + place_.column / Tile::kColumns) * row_tiles_ + place_.row / Tile::kRows;
        float* partial = p_.partial + std::int64_t{tile} * p_.n_splits * kTileSums;
        const bool has_sums = depth_of_warp() == 0;
        const int lane_sums = thread_index() * Tile::kSums;
        if (has_sums) each_sum([&](float& sum, int i) { partial[place_.split * kTileSums + lane_sums + i] = sum; });
        fence();
        block_barrier();
        auto* is_last = reinterpret_cast<int*>(shared_memory());
        if (thread_index() == 0) {
            *is_last = count_up(p_.counters + tile) == p_.n_splits - 1;
            if (*is_last) p_.counters[tile] = 0;
        }
        block_barrier();
        const bool last = *is_last != 0;
        block_barrier();
        if (!last) return false;
        fence();
        clear();
        for (int split = 0; has_sums && split < p_.n_splits; ++split) {
            const float* part = partial + split * kTileSums + lane_sums;
            each_sum([&](float& sum, int i) { sum += load_fresh(part + i); });
        }
        return true;
    }

    __device__ void store() {
        const int group = lane_index() / 4, pair = 2 * (lane_index() % 4);
#pragma unroll
        for (int i = 0; i < Tile::kRowTiles; ++i) {
#pragma unroll
            for (int j = 0; j < Tile::kColumnTiles; ++j) {
                const int column = place_.column + column_of_warp() + 8 * j + pair;
                const int row = place_.row + row_of_warp() + 16 * i + group;
                store_pair(row, column, sums_[i][j][0], sums_[i][j][1]);
                store_pair(row + 8, column, sums_[i][j][2], sums_[i][j][3]);
            }
        }
    }

    __device__ float finished(int row, int column, float sum) const {
        const int n = p_.weight.n;
        if (p_.bias) sum += p_.bias[place_.batch * n + column];
        sum = activated(p_.activation, sum);
        return p_.gate ? sum * p_.gate[row * p_.gate_stride + place_.batch * n + column] : sum;
    }

    __device__ void store_pair(int row, int column, float first, float second) const {
        const int n = p_.weight.n;
        if (row >= n_rows_ || column >= n) return;
        const bool both = column + 1 < n;
        first = finished(row, column, first);
        if (both) second = finished(row, column + 1, second);
        if (p_.keys_values.turns && column >= p_.keys_values.width) {
            store_past(row, column - p_.keys_values.width, rounded_pair<T>(first, second));
            return;
        }
        const std::int64_t at = p_.c_rows.at(row);
        if (at < 0) return;
        const std::int64_t offset = place_.batch * p_.c_batch + at + column;
        if (p_.out) {
            float* out = p_.out + offset;
            out[0] = p_.accumulate ? out[0] + first : first;
            if (both) out[1] = p_.accumulate ? out[1] + second : second;
        } else {
            T* out = halves<T>(p_.out_half) + offset;
            out[0] = rounded<T>(first);
            if (both) out[1] = rounded<T>(second);
        }
    }

    // A pair of a key or a value into the history of its turn.
    __device__ void store_past(int row, int column, std::uint32_t pair) const {
        const KeysValues& past = p_.keys_values;
        const Turn& turn = past.turns[row / past.tokens];
        const std::int64_t token = std::int64_t{turn.place} * past.tokens + row % past.tokens;
        T* out = halves<T>(turn.history) + past.layer + token * 2 * past.width + column;
        *reinterpret_cast<std::uint32_t*>(out) = pair;
    }

    const GemmParams& p_;
    int n_rows_, row_tiles_;
    Place place_{};
    int first_ = 0, last_ = 0;  // steps of k
    float sums_[Tile::kRowTiles][Tile::kColumnTiles][4];
};

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads) gemm_kernel(const __grid_constant__ GemmParams p) {
    if constexpr (kMultiplies<T>) {
        TileProduct<T, Tile> product(p, p.count.total());
        for (int item = block_index(); item < product.n_items(); item += n_blocks()) product.run(item);
    }
}

template <class T, class Tile>
void start_gemm(const Launcher& launcher, GemmParams p) {
    const int row_tiles = (p.count.at_most() + Tile::kRows - 1) / Tile::kRows;
    const int column_tiles = (p.weight.n + Tile::kColumns - 1) / Tile::kColumns;
    const int tiles = p.n_batches * row_tiles * column_tiles, steps = (p.weight.k + Tile::kDepth - 1) / Tile::kDepth;
    // Splits of k fill multiprocessors that would have nothing to do; each has a few steps at least.
    constexpr int kLeastSteps = 4;
    const int most = std::min({launcher.multiprocessors / std::max(tiles, 1), steps / kLeastSteps, 16});
    const bool room = p.partial && tiles <= GemmRoom::kCounters &&
                      std::int64_t{tiles} * most * Tile::kRows * Tile::kColumns <= GemmRoom::kPartials;
    p.n_splits = room ? std::max(most, 1) : 1;
    launch(launcher, gemm_kernel<T, Tile>, p, {tiles * p.n_splits, Tile::kThreads, Tile::kBytes});
}

// The largest tiles that leave no multiprocessor without work, for the rows there may be.
template <class T>
void gemm_of(const Launcher& launcher, const GemmParams& p) {
    const int rows = p.count.at_most();
    const auto tiles = [&](int tile_rows, int tile_columns) {
        return std::int64_t{p.n_batches} * ((rows + tile_rows - 1) / tile_rows) *
               ((p.weight.n + tile_columns - 1) / tile_columns);
    };
    if (rows <= 2 * SmallTile::kRows) {
        start_gemm<T, SmallTile>(launcher, p);
    } else if (tiles(LargeTile::kRows, LargeTile::kColumns) < launcher.multiprocessors) {
        start_gemm<T, MiddleTile>(launcher, p);
    } else {
        start_gemm<T, LargeTile>(launcher, p);
    }
}

}  // namespace visavis::cuda
