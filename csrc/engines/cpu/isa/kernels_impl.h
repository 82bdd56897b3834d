// The kernels in portable C++, compiled once per instruction set.  The including file defines
//   VISAVIS_ISA_NAME      namespace and the name that VISAVIS_ISA gives it
//   VISAVIS_SIMD_FLOATS   floats in a vector
//   VISAVIS_MAX_ROWS      rows of a GEMM tile: 2 * rows + 3 vectors must fit the register file
//   VISAVIS_TABLE         name of the table it defines
#include "engines/cpu/isa/simd.h"
#include "engines/cpu/kernels.h"

namespace visavis::cpu {
namespace VISAVIS_ISA_NAME {
namespace {

constexpr int kPanelVectors = 2;
constexpr int kPanel = kPanelVectors * kLanes;
constexpr int kMaxRows = VISAVIS_MAX_ROWS;
constexpr int kWidePanels = 4;  // panels that a single row takes at once, to hide the latency of its few sums

// One tile: Rows rows by Panels panels.  Each sum runs over k in order, in one register, whatever the tile's shape.
template <int Rows, int Panels>
VISAVIS_INLINE void tile(const GemmArgs& g, int row, int panel) {
    constexpr int kVectors = kPanelVectors * Panels;
    Vec sum[Rows][kVectors];
    VISAVIS_UNROLL
    for (int j = 0; j < kVectors; ++j) {
        const Vec start = g.bias ? load(g.bias + panel * kPanel + j * kLanes) : zeros();
        VISAVIS_UNROLL
        for (int i = 0; i < Rows; ++i) sum[i][j] = start;
    }
    const float* a = g.a + row * g.a_stride;
    const float* b = g.panels + panel * g.panel_stride;
    for (int k = 0; k < g.k; ++k, b += kPanel) {
        Vec column[kVectors];
        VISAVIS_UNROLL
        for (int j = 0; j < kVectors; ++j) {
            column[j] = load(b + (j / kPanelVectors) * g.panel_stride + (j % kPanelVectors) * kLanes);
        }
        VISAVIS_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const Vec x = splat(a[i * g.a_stride + k]);
            VISAVIS_UNROLL
            for (int j = 0; j < kVectors; ++j) sum[i][j] = sum[i][j] + x * column[j];
        }
    }
    VISAVIS_UNROLL
    for (int i = 0; i < Rows; ++i) {
        float* c = g.c + (row + i) * g.c_stride + panel * kPanel;
        VISAVIS_UNROLL
        for (int j = 0; j < kVectors; ++j) {
            const int left = g.n - panel * kPanel - j * kLanes;
            float* out = c + j * kLanes;
            if (left >= kLanes) {
                store(out, g.accumulate ? load(out) + sum[i][j] : sum[i][j]);
            } else if (left > 0) {
                store_part(out, g.accumulate ? load_part(out, left, 0.0F) + sum[i][j] : sum[i][j], left);
            }
        }
    }
}

template <int Rows>
void tile_column(const GemmArgs& g, int row, int panel) {
    tile<Rows, 1>(g, row, panel);
}

using Tile = void (*)(const GemmArgs&, int, int);
constexpr Tile kTiles[] = {
    nullptr,        tile_column<1>, tile_column<2>, tile_column<3>,  tile_column<4>,  tile_column<5>,  tile_column<6>,
#if VISAVIS_MAX_ROWS > 6
    tile_column<7>, tile_column<8>, tile_column<9>, tile_column<10>, tile_column<11>, tile_column<12>,
#endif
};
static_assert(sizeof kTiles / sizeof kTiles[0] == kMaxRows + 1);

void gemm(const GemmArgs& g) {
    const int n_panels = (g.n + kPanel - 1) / kPanel;
    const int n_tiles = (g.m + kMaxRows - 1) / kMaxRows;
    int panel = 0;
    if (g.m == 1) {
        for (; panel + kWidePanels <= n_panels; panel += kWidePanels) tile<1, kWidePanels>(g, 0, panel);
    }
    for (; panel < n_panels; ++panel) {
        for (int t = 0, row = 0; t < n_tiles; ++t) {
            const int rows = (g.m - row + n_tiles - t - 1) / (n_tiles - t);  // even split
            kTiles[rows](g, row, panel);
            row += rows;
        }
    }
}

// e^x within 2 units in the last place for -87 <= x <= 88 (clamped there): 2^n times a polynomial in the remainder.
VISAVIS_INLINE Vec exponential(Vec x) {
    const Vec magic = splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to a whole number
    x = min(max(x, splat(-87.0F)), splat(88.0F));
    const Vec shifted = x * splat(1.44269504F) + magic;
    const Vec n = shifted - magic;
    const Vec r = x - n * splat(0.693359375F) - n * splat(-2.12194440e-4F);
    Vec p = splat(1.9875691500e-4F);
    p = p * r + splat(1.3981999507e-3F);
    p = p * r + splat(8.3334519073e-3F);
    p = p * r + splat(4.1665795894e-2F);
    p = p * r + splat(1.6666665459e-1F);
    p = p * r + splat(5.0000001201e-1F);
    return (p * (r * r) + r + splat(1.0F)) * power_of_two(shifted);
}

// x * Phi(x) = max(x, 0) - |x| * Phi(-|x|), and Phi(-u) = e^(-u^2/2) * polynomial in 1 / (1 + 0.24 u).
// The coefficients are a weighted least-squares fit: the polynomial's own error in the result is below 1e-9.
VISAVIS_INLINE Vec gelu_of(Vec x) {
    const Vec u = max(x, zeros() - x);
    const Vec t = splat(1.0F) / (splat(1.0F) + splat(0.24F) * u);
    Vec p = splat(-0.12427611797F);
    p = p * t + splat(0.55068068284F);
    p = p * t + splat(-0.63831578712F);
    p = p * t + splat(0.61740181821F);
    p = p * t + splat(-0.14921550663F);
    p = p * t + splat(0.15400171803F);
    p = p * t + splat(0.08972319462F);
    return max(x, zeros()) - u * (exponential(splat(-0.5F) * x * x) * (p * t));
}

VISAVIS_INLINE Vec silu_of(Vec x) { return x / (splat(1.0F) + exponential(zeros() - x)); }

void gelu(float* x, int n) {
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) store(x + i, gelu_of(load(x + i)));
    if (i < n) store_part(x + i, gelu_of(load_part(x + i, n - i, 0.0F)), n - i);
}

void silu(float* out, const float* x, int n) {
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) store(out + i, silu_of(load(x + i)));
    if (i < n) store_part(out + i, silu_of(load_part(x + i, n - i, 0.0F)), n - i);
}

float sum_of(const float* x, int n) {
    Vec sum = zeros();
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) sum = sum + load(x + i);
    if (i < n) sum = sum + load_part(x + i, n - i, 0.0F);
    return lane_sum(sum);
}

float square_sum_of(const float* x, float mean, int n) {
    Vec sum = zeros();
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const Vec d = load(x + i) - splat(mean);
        sum = sum + d * d;
    }
    if (i < n) {
        const Vec d = load_part(x + i, n - i, mean) - splat(mean);
        sum = sum + d * d;
    }
    return lane_sum(sum);
}

void layer_norm(float* out, const float* x, const float* gain, const float* bias, int n) {
    const float mean = sum_of(x, n) / static_cast<float>(n);
    const float variance = square_sum_of(x, mean, n) / static_cast<float>(n);
    const float scale = 1.0F / root(variance + 1e-6F);
    for (int i = 0; i < n; ++i) {
        const float normed = (x[i] - mean) * scale;
        out[i] = gain ? normed * gain[i] + bias[i] : normed;
    }
}

void softmax(float* row, const float* bias, float scale, int n) {
    const Vec factor = splat(scale);
    Vec most = splat(-3.4e38F);
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const Vec logit = load(row + i) * factor + load(bias + i);
        store(row + i, logit);
        most = max(most, logit);
    }
    for (; i < n; ++i) {
        row[i] = row[i] * scale + bias[i];
        most = max(most, splat(row[i]));
    }
    const Vec top = splat(lane_max(most));
    Vec sums = zeros();
    for (i = 0; i + kLanes <= n; i += kLanes) {
        const Vec weight = exponential(load(row + i) - top);
        store(row + i, weight);
        sums = sums + weight;
    }
    float sum = lane_sum(sums);
    if (i < n) store_part(row + i, exponential(load_part(row + i, n - i, 0.0F) - top), n - i);
    for (; i < n; ++i) sum += row[i];
    const float share = 1.0F / sum;
    for (i = 0; i < n; ++i) row[i] *= share;
}

}  // namespace
}  // namespace VISAVIS_ISA_NAME

#define VISAVIS_TEXT_OF(name) #name
#define VISAVIS_TEXT(name) VISAVIS_TEXT_OF(name)

const Kernels VISAVIS_TABLE = {
    VISAVIS_TEXT(VISAVIS_ISA_NAME), VISAVIS_ISA_NAME::kPanel,     VISAVIS_ISA_NAME::gemm,    VISAVIS_ISA_NAME::gelu,
    VISAVIS_ISA_NAME::silu,         VISAVIS_ISA_NAME::layer_norm, VISAVIS_ISA_NAME::softmax,
};

}  // namespace visavis::cpu
