// The whole head, all steps, in one cooperative launch.  Every block owns eighths of columns of each layer for good
// and, if they fit, keeps their weights in shared memory; layers meet at a barrier of the grid.  A norm is done by each
// block for itself while it brings the rows into shared memory: cheaper than another barrier.
#pragma once
#include "engines/cuda/kernels/sampler.h"

namespace visavis::cuda {

inline constexpr int kFusedThreads = 256, kFusedWarps = kFusedThreads / kLanes;

// Shared memory of a block: rows of the layer's input, partial sums of the warps, weights.
struct FusedLayout {
    std::size_t rows_bytes = 0, sums_bytes = 0, weight_bytes = 0;

    FusedLayout(const FusedParams& p, int n_blocks, int row_tiles) {
        const int pitch = 32 * std::max(p.input.k_tiles(), p.output.k_tiles()) + 8;
        rows_bytes = std::size_t{2} * 16 * static_cast<std::size_t>(row_tiles * pitch);
        sums_bytes = sizeof(float) * 128 * static_cast<std::size_t>(row_tiles) * (kFusedWarps + 2);
        const auto share = [n_blocks](int n) { return (n + n_blocks - 1) / n_blocks; };
        const int width_tiles = share(p.input.n_tiles());
        const int tiles = width_tiles * p.input.k_tiles() + 2 * p.depth * width_tiles * p.output.k_tiles() +
                          2 * share(p.state.row_pad / 8) * p.output.k_tiles();
        weight_bytes = std::size_t{512} * static_cast<std::size_t>(tiles);
    }
};

template <class T, int row_tiles>
class FusedHead {
  public:
    __device__ explicit FusedHead(const FusedParams& p)
        : p_(p),
          n_rows_(p.count.turns() * p.state.branches * p.state.n_rows),
          pitch_(32 * max(p.input.k_tiles(), p.output.k_tiles()) + 8),
          rows_(reinterpret_cast<T*>(shared_memory())),
          sums_(reinterpret_cast<float*>(rows_ + 16 * row_tiles * pitch_)),
          total_(sums_ + kFusedWarps * kTileSums),
          weights_(reinterpret_cast<uint4*>(total_ + 2 * kTileSums)) {}

    __device__ void run() {
        for (int i = thread_index(); i < 16 * row_tiles * pitch_; i += kFusedThreads) rows_[i] = T{0};
        if (p_.resident) keep_weights();
        block_barrier();
        for (int s = 0; s < p_.n_steps; ++s) {
            if (s > 0) grid_barrier();  // x of the step before is there
            step(s);
        }
    }

  private:
    static constexpr int kTileSums = 128 * row_tiles;

    // ---- weights
    __device__ int width_tiles() const { return p_.input.n_tiles(); }
    __device__ int own(int n_tiles) const {
        return n_tiles > block_index() ? (n_tiles - block_index() - 1) / n_blocks() + 1 : 0;
    }
    // Calls use(layer's matrix, first tile, tiles) in the order in which weights lie: input, blocks, x_0, v.
    template <class Use>
    __device__ void each_layer(Use use) const {
        use(p_.input, 0, width_tiles());
        for (int j = 0; j < p_.depth; ++j) {
            use(p_.blocks[j].in, 0, width_tiles());
            use(p_.blocks[j].out, 0, width_tiles());
        }
        use(p_.output, 0, p_.state.row_pad / 8);
        use(p_.output, p_.state.row_pad / 8, p_.state.row_pad / 8);
    }
    __device__ void keep_weights() {
        uint4* to = weights_;
        each_layer([&](const Packed& layer, int first, int n_tiles) {
            const int size = layer.k_tiles() * kLanes;
            for (int t = block_index(); t < n_tiles; t += n_blocks(), to += size) {
                const uint4* from = tile_of(layer, first + t);
                const bool there = first + t < layer.n_tiles();
                for (int i = thread_index(); i < size; i += kFusedThreads) copy_async(to + i, from + i, there ? 16 : 0);
            }
        });
        commit_copies();
        wait_copies<0>();
    }
    __device__ static const uint4* tile_of(const Packed& layer, int tile) {
        return static_cast<const uint4*>(layer.values) + std::int64_t{tile} * layer.k_tiles() * kLanes;
    }

    // A layer's tiles that this block owns, one after the other.
    struct Tiles {
        const Packed* layer;
        int first;          // tile of the layer
        const uint4* kept;  // or null: read from memory
    };
    __device__ Tiles next_tiles(const Packed& layer, int first, int n_tiles) {
        const Tiles tiles{&layer, first, p_.resident ? weights_ + kept_ : nullptr};
        kept_ += own(n_tiles) * layer.k_tiles() * kLanes;
        return tiles;
    }
    __device__ const uint4* weight(const Tiles& tiles, int tile) const {
        if (!tiles.kept) return tile_of(*tiles.layer, tiles.first + tile);
        return tiles.kept + tile / n_blocks() * tiles.layer->k_tiles() * kLanes;
    }

    // ---- one tile: eight columns of all rows
    // Each warp has every eighth 32 of k; the sum of all goes to total[16 * row_tiles][8].
    __device__ void multiply(const uint4* weight, int k_tiles, float* total) {
        float sums[row_tiles][4] = {};
        for (int k = warp_index(); k < k_tiles; k += kFusedWarps) {
            const uint4 b = weight[k * kLanes + lane_index()];
#pragma unroll
            for (int i = 0; i < row_tiles; ++i) {
                const T* row = rows_ + (16 * i + lane_index() % 16) * pitch_ + 32 * k + lane_index() / 16 * 8;
                std::uint32_t a[4];
                load_matrices(a, row);
                multiply_add<T>(sums[i], a, b.x, b.y);
                load_matrices(a, row + 16);
                multiply_add<T>(sums[i], a, b.z, b.w);
            }
        }
        float* mine = sums_ + warp_index() * kTileSums;
        const int group = lane_index() / 4, pair = 2 * (lane_index() % 4);
#pragma unroll
        for (int i = 0; i < row_tiles; ++i) {
            for (int r = 0; r < 4; ++r) mine[(16 * i + group + r / 2 * 8) * 8 + pair + r % 2] = sums[i][r];
        }
        block_barrier();
        for (int i = thread_index(); i < kTileSums; i += kFusedThreads) {
            float sum = 0;
            for (int w = 0; w < kFusedWarps; ++w) sum += sums_[w * kTileSums + i];
            total[i] = sum;
        }
        block_barrier();
    }

    // Calls use(row, column, sum) for what this block owns of a layer.
    template <class Use>
    __device__ void layer(const Tiles& tiles, int n_tiles, int n, Use use) {
        for (int t = block_index(); t < n_tiles; t += n_blocks()) {
            multiply(weight(tiles, t), tiles.layer->k_tiles(), total_);
            for (int i = thread_index(); i < n_rows_ * 8; i += kFusedThreads) {
                if (8 * t + i % 8 < n) use(i / 8, 8 * t + i % 8, total_[i]);
            }
        }
    }

    // ---- what goes into a layer
    // x: the same for both branches of a turn.
    __device__ void bring_x() {
        const SamplerState& state = p_.state;
        const int pieces = state.row_pad / 8;
        for (int i = thread_index(); i < n_rows_ * pieces; i += kFusedThreads) {
            const int row = i / pieces, in_turn = row % state.n_rows;
            const int source = row / (state.branches * state.n_rows) * state.n_rows + in_turn;
            bring(row, i % pieces * 8, halves<T>(state.x_half) + std::int64_t{source} * state.row_pad, state.row_width);
        }
        end_rows(pieces * 8, p_.input.k_tiles() * 32);
    }
    __device__ void bring_inner() {
        const int pieces = (p_.width + 7) / 8;
        for (int i = thread_index(); i < n_rows_ * pieces; i += kFusedThreads) {
            const int row = i / pieces;
            bring(row, i % pieces * 8, halves<T>(p_.inner) + row * p_.inner_pitch, p_.width);
        }
        end_rows(pieces * 8, p_.output.k_tiles() * 32);
    }
    // Eight values of a row; zeros from `width` on.
    __device__ void bring(int row, int column, const T* from, int width) {
        uint4 piece = load_fresh(reinterpret_cast<const uint4*>(from + column));
        T* values = reinterpret_cast<T*>(&piece);
        for (int i = 0; i < 8; ++i) {
            if (column + i >= width) values[i] = T{0};
        }
        *reinterpret_cast<uint4*>(rows_ + row * pitch_ + column) = piece;
    }
    __device__ void end_rows(int from, int to) {
        for (int row = warp_index(); row < n_rows_; row += kFusedWarps) {
            for (int i = from + lane_index(); i < to; i += kLanes) rows_[row * pitch_ + i] = T{0};
        }
        block_barrier();
    }
    // LN(hidden) [* gain + bias] * (1 + scale) + shift, a row a warp, its values in registers.
    __device__ void bring_normed(int s, int layer, const float* gain, const float* bias) {
        const int width = p_.width, modulations = (3 * p_.depth + 2) * width;
        for (int row = warp_index(); row < n_rows_; row += kFusedWarps) {
            constexpr int kMost = kFusedWidth / kLanes;
            float values[kMost];
            float sum = 0;
#pragma unroll
            for (int i = 0; i < kMost; ++i) {
                const int d = i * kLanes + lane_index();
                values[i] = d < width ? load_fresh(p_.hidden + std::int64_t{row} * width + d) : 0.0F;
                sum += values[i];
            }
            const float mean = warp_sum(sum) / static_cast<float>(width);
            float squares = 0;
#pragma unroll
            for (int i = 0; i < kMost; ++i) {
                const float difference = i * kLanes + lane_index() < width ? values[i] - mean : 0.0F;
                squares += difference * difference;
            }
            const float scale = 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(width) + 1e-6F);
            const float* shifts =
                p_.modulation + (std::int64_t{row} * p_.n_steps + s) * modulations + 3 * layer * width;
#pragma unroll
            for (int i = 0; i < kMost; ++i) {
                const int d = i * kLanes + lane_index();
                if (d >= width) continue;
                float value = (values[i] - mean) * scale;
                if (gain) value = value * gain[d] + bias[d];
                rows_[row * pitch_ + d] = rounded<T>(value * (1.0F + shifts[width + d]) + shifts[d]);
            }
        }
        end_rows(width, p_.output.k_tiles() * 32);
    }

    // ---- one step
    __device__ void step(int s) {
        kept_ = 0;
        const int width = p_.width, tiles = width_tiles(), modulations = (3 * p_.depth + 2) * width;
        const bool has_tiles = block_index() < tiles;
        if (has_tiles) bring_x();
        layer(next_tiles(p_.input, 0, tiles), tiles, width, [&](int row, int column, float sum) {
            p_.hidden[std::int64_t{row} * width + column] = sum + p_.input_bias[column];
        });
        for (int j = 0; j < p_.depth; ++j) {
            const FusedBlock& block = p_.blocks[j];
            grid_barrier();
            if (has_tiles) bring_normed(s, j, block.gain, block.bias);
            layer(next_tiles(block.in, 0, tiles), tiles, width, [&](int row, int column, float sum) {
                halves<T>(p_.inner)[row * p_.inner_pitch + column] = rounded<T>(silu_of(sum + block.in_bias[column]));
            });
            grid_barrier();
            if (has_tiles) bring_inner();
            layer(next_tiles(block.out, 0, tiles), tiles, width, [&](int row, int column, float sum) {
                const std::int64_t at =
                    (std::int64_t{row} * p_.n_steps + s) * modulations + (3 * j + 2) * width + column;
                float* hidden = p_.hidden + std::int64_t{row} * width + column;
                *hidden = load_fresh(hidden) + p_.modulation[at] * (sum + block.out_bias[column]);
            });
        }
        grid_barrier();
        if (block_index() < p_.state.row_pad / 8) bring_normed(s, p_.depth, nullptr, nullptr);
        end_step(s);
    }

    // x_0 and v of the same columns, then the sampler.
    __device__ void end_step(int s) {
        const SamplerState& state = p_.state;
        const int tiles = state.row_pad / 8;
        const bool variance = state.ancestral && !p_.steps[s].last;
        const Tiles of_x0 = next_tiles(p_.output, 0, tiles), of_v = next_tiles(p_.output, tiles, tiles);
        float* of_v_total = total_ + kTileSums;
        for (int t = block_index(); t < tiles; t += n_blocks()) {
            multiply(weight(of_x0, t), p_.output.k_tiles(), total_);
            if (variance) multiply(weight(of_v, t), p_.output.k_tiles(), of_v_total);
            const int n = n_rows_ / state.branches * 8;
            for (int i = thread_index(); i < n; i += kFusedThreads) {
                const int row = i / 8, column = 8 * t + i % 8;
                if (column >= state.row_width) continue;
                const int conditional = row / state.n_rows * state.branches * state.n_rows + row % state.n_rows;
                const int unconditional = conditional + (state.branches - 1) * state.n_rows;
                const float* bias = p_.output_bias + column;
                const Prediction said{total_[conditional * 8 + i % 8] + bias[0],
                                      total_[unconditional * 8 + i % 8] + bias[0],
                                      variance ? of_v_total[conditional * 8 + i % 8] + bias[state.row_pad] : 0.0F};
                advance_value<T>(state, p_.steps[s], s, row, column, said);
            }
            block_barrier();  // the sums have been read
        }
    }

    const FusedParams& p_;
    int n_rows_, pitch_;
    T* rows_;
    float *sums_, *total_;
    uint4* weights_;
    int kept_ = 0;  // of the weights, that the step has used
};

template <class T, int row_tiles>
__global__ void __launch_bounds__(kFusedThreads) fused_kernel(const __grid_constant__ FusedParams p) {
    if constexpr (kMultiplies<T>) {
        FusedHead<T, row_tiles> head(p);
        head.run();
    }
}

inline int device_attribute(cudaDeviceAttr name) {
    int device = 0, value = 0;
    check(cudaGetDevice(&device), "device");
    check(cudaDeviceGetAttribute(&value, name, device), "device");
    return value;
}

inline std::size_t most_shared() {
    return static_cast<std::size_t>(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
}

// Sixteens of rows that a launch computes: 1, 2 or 4.
inline int fused_row_tiles(const FusedParams& p) {
    const int tiles = (p.count.at_most() * p.state.branches * p.state.n_rows + 15) / 16;
    return tiles <= 2 ? tiles : 4;
}

inline bool fused_fits(const FusedParams& p) {
    if (p.count.at_most() * p.state.branches * p.state.n_rows > kFusedRows || p.width > kFusedWidth) return false;
    const FusedLayout layout(p, 1, fused_row_tiles(p));
    return layout.rows_bytes + layout.sums_bytes <= most_shared() &&
           device_attribute(cudaDevAttrCooperativeLaunch) != 0;
}

template <class T, int row_tiles>
void start_fused(const Launcher& launcher, FusedParams p) {
    const int tiles = std::max(p.input.n_tiles(), p.state.row_pad / 8);
    const int blocks = std::min(tiles, launcher.multiprocessors);
    const FusedLayout layout(p, blocks, row_tiles);
    std::size_t shared = layout.rows_bytes + layout.sums_bytes;
    p.resident = shared + layout.weight_bytes <= most_shared();
    if (p.resident) shared += layout.weight_bytes;
    launch(launcher, fused_kernel<T, row_tiles>, p, {blocks, kFusedThreads, shared, true});
}

template <class T>
void fused_of(const Launcher& launcher, const FusedParams& p) {
    switch (fused_row_tiles(p)) {
        case 1: return start_fused<T, 1>(launcher, p);
        case 2: return start_fused<T, 2>(launcher, p);
        default: return start_fused<T, 4>(launcher, p);
    }
}

}  // namespace visavis::cuda
