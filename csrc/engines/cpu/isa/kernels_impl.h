// The kernels in portable C++, compiled once per instruction set.  The including file defines
//   VISAVIS_ISA_NAME      namespace and the name that VISAVIS_ISA gives it
//   VISAVIS_SIMD_FLOATS   floats in a vector
//   VISAVIS_MAX_ROWS      rows of a GEMM tile: 2 * rows + 3 vectors must fit the register file
//   VISAVIS_TABLE         name of the table it defines
//   VISAVIS_HAS_BF16      if the instruction set multiplies bfloat16
//   VISAVIS_HAS_INT8      if it multiplies 8-bit integers
#include "engines/cpu/isa/simd.h"
#if defined(VISAVIS_HAS_BF16)
#include "engines/cpu/isa/bf16.h"
#endif
#if defined(VISAVIS_HAS_INT8)
#include "engines/cpu/isa/int8.h"
#endif
#include "engines/cpu/kernels.h"

namespace visavis::cpu {
namespace VISAVIS_ISA_NAME {
namespace {

constexpr int kPanelVectors = 2;
constexpr int kPanel = kPanelVectors * kLanes;
constexpr int kMaxRows = VISAVIS_MAX_ROWS;

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

VISAVIS_INLINE Vec activated(Activation activation, Vec x) {
    if (activation == Activation::kGelu) return gelu_of(x);
    if (activation == Activation::kSilu) return silu_of(x);
    return activation == Activation::kRelu ? max(x, zeros()) : x;
}

// The epilogue of one row of sums, n columns wide.  Out of the tiles, which would otherwise repeat it for each sum.
VISAVIS_NOINLINE void finish_row(const Epilogue& e, float* c, const float* gate, const float* sums, int n) {
    for (int j = 0; j < n; j += kLanes) {
        const int left = n - j;
        Vec sum = activated(e.activation, load(sums + j));
        if (gate) sum = rounded((left >= kLanes ? load(gate + j) : load_part(gate + j, left, 0.0F)) * sum);
        if (left >= kLanes) {
            store(c + j, e.accumulate ? load(c + j) + sum : sum);
        } else {
            store_part(c + j, e.accumulate ? load_part(c + j, left, 0.0F) + sum : sum, left);
        }
    }
}

template <int Rows, int Vectors, class Weight>
VISAVIS_INLINE void finish_tile(const GemmArgs<Weight>& g, int row, int column, const Vec (&sum)[Rows][Vectors]) {
    const Epilogue& e = g.epilogue;
    const int n = g.n - column < Vectors * kLanes ? g.n - column : Vectors * kLanes;
    float* c = g.c + row * g.c_stride + column;
    if (n == Vectors * kLanes && e.activation == Activation::kNone && !e.gate) {
        VISAVIS_UNROLL
        for (int i = 0; i < Rows; ++i, c += g.c_stride) {
            VISAVIS_UNROLL
            for (int j = 0; j < Vectors; ++j) {
                store(c + j * kLanes, e.accumulate ? load(c + j * kLanes) + sum[i][j] : sum[i][j]);
            }
        }
        return;
    }
    float sums[Rows * Vectors * kLanes];
    VISAVIS_UNROLL
    for (int i = 0; i < Rows; ++i) {
        VISAVIS_UNROLL
        for (int j = 0; j < Vectors; ++j) store(sums + (i * Vectors + j) * kLanes, sum[i][j]);
    }
    for (int i = 0; i < Rows; ++i, c += g.c_stride) {
        const float* gate = e.gate ? e.gate + (row + i) * e.gate_stride + column : nullptr;
        finish_row(e, c, gate, sums + i * Vectors * kLanes, n);
    }
}

template <int Rows, int Vectors>
VISAVIS_INLINE void start_tile(Vec (&sum)[Rows][Vectors], const float* bias, int column) {
    VISAVIS_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        const Vec start = bias ? load(bias + column + j * kLanes) : zeros();
        VISAVIS_UNROLL
        for (int i = 0; i < Rows; ++i) sum[i][j] = start;
    }
}

// What a tile fetches from memory meanwhile: its share of the next panel, some of it at each step through its own.
struct Ahead {
    const char* at = nullptr;
    std::ptrdiff_t step = 0;
};
VISAVIS_INLINE void fetch_some(Ahead& ahead) {
    constexpr int kLine = 64;  // bytes
    fetch(ahead.at);
    if (kPanel * sizeof(float) > kLine) fetch(ahead.at + kLine);
    ahead.at += ahead.step;
}

// One tile: Rows rows by Panels panels.  Each sum runs over k in order, in one register, whatever the tile's shape.
template <int Rows, int Panels>
VISAVIS_INLINE void tile(const GemmArgs<float>& g, int row, int panel, Ahead ahead) {
    constexpr int kVectors = kPanelVectors * Panels;
    Vec sum[Rows][kVectors];
    start_tile(sum, g.bias, panel * kPanel);
    const float* a = g.a + row * g.a_stride;
    const float* b = g.panels + panel * g.panel_stride;
    for (int k = 0; k < g.k; ++k, b += kPanel) {
        if (Panels == 1) fetch_some(ahead);
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
    finish_tile(g, row, panel * kPanel, sum);
}

#if defined(VISAVIS_HAS_BF16)

// The same with pairs of inputs: a panel holds, for each two inputs, the pairs of its columns.
template <int Rows, int Panels>
VISAVIS_INLINE void tile(const GemmArgs<std::uint16_t>& g, int row, int panel, Ahead ahead) {
    constexpr int kVectors = kPanelVectors * Panels;
    Vec sum[Rows][kVectors];
    start_tile(sum, g.bias, panel * kPanel);
    const std::uint16_t* a = g.a + row * g.a_stride;
    const std::uint16_t* b = g.panels + panel * g.panel_stride;
    for (int k = 0; k < g.k; k += 2, b += 2 * kPanel) {
        if (Panels == 1) fetch_some(ahead);
        Pairs column[kVectors];
        VISAVIS_UNROLL
        for (int j = 0; j < kVectors; ++j) {
            column[j] = load_pairs(b + (j / kPanelVectors) * g.panel_stride + (j % kPanelVectors) * 2 * kLanes);
        }
        VISAVIS_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const Pairs x = splat_pair(a + i * g.a_stride + k);
            VISAVIS_UNROLL
            for (int j = 0; j < kVectors; ++j) sum[i][j] = add_products(sum[i][j], x, column[j]);
        }
    }
    finish_tile(g, row, panel * kPanel, sum);
}

void to_bf16(std::uint16_t* out, const float* x, int n) {
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) store_bf16(out + i, load(x + i));
    if (i == n) return;
    std::uint16_t rest[kLanes];
    store_bf16(rest, load_part(x + i, n - i, 0.0F));
    for (int j = 0; i < n + n % 2; ++i, ++j) out[i] = rest[j];
}

#endif
#if defined(VISAVIS_HAS_INT8)

// What the integer sums of a tile stand for: (sum - zero * sum of the weights) * both scales + bias.
template <int Rows, int Vectors>
VISAVIS_INLINE void scale_tile(const GemmArgs<std::int8_t>& g, int row, int column,
                               const IntVec (&products)[Rows][Vectors], Vec (&sum)[Rows][Vectors]) {
    VISAVIS_UNROLL
    for (int j = 0; j < Vectors; ++j) {
        const int at = column + j * kLanes;
        const Vec bias = g.bias ? load(g.bias + at) : zeros(), scale = load(g.scales + at);
        const IntVec sums = load_ints(g.sums + at);
        VISAVIS_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const ByteScale& bytes = g.a_scales[row + i];
            const Vec product = __builtin_convertvector(products[i][j] - bytes.zero * sums, Vec);
            sum[i][j] = rounded(product * (splat(bytes.scale) * scale)) + bias;
        }
    }
}

// The same with four inputs at once, in integers.
template <int Rows, int Panels>
VISAVIS_INLINE void tile(const GemmArgs<std::int8_t>& g, int row, int panel, Ahead ahead) {
    constexpr int kVectors = kPanelVectors * Panels;
    IntVec products[Rows][kVectors];
    VISAVIS_UNROLL
    for (int i = 0; i < Rows; ++i) {
        VISAVIS_UNROLL
        for (int j = 0; j < kVectors; ++j) products[i][j] = IntVec{};
    }
    const std::uint8_t* a = g.a + row * g.a_stride;
    const std::int8_t* b = g.panels + panel * g.panel_stride;
    for (int k = 0; k < g.k; k += 4, b += 4 * kPanel) {
        if (Panels == 1) fetch_some(ahead);
        IntVec column[kVectors];
        VISAVIS_UNROLL
        for (int j = 0; j < kVectors; ++j) {
            column[j] = load_quads(b + (j / kPanelVectors) * g.panel_stride + (j % kPanelVectors) * 4 * kLanes);
        }
        VISAVIS_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const IntVec x = splat_quad(a + i * g.a_stride + k);
            VISAVIS_UNROLL
            for (int j = 0; j < kVectors; ++j) products[i][j] = add_quads(products[i][j], x, column[j]);
        }
    }
    Vec sum[Rows][kVectors];
    scale_tile(g, row, panel * kPanel, products, sum);
    finish_tile(g, row, panel * kPanel, sum);
}

// The row's range, 0 included, over all 256 values.
ByteScale to_bytes(std::uint8_t* out, const float* x, int n) {
    Vec low = zeros(), high = zeros();
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        low = min(low, load(x + i));
        high = max(high, load(x + i));
    }
    if (i < n) {
        low = min(low, load_part(x + i, n - i, 0.0F));
        high = max(high, load_part(x + i, n - i, 0.0F));
    }
    const float least = -lane_max(zeros() - low), range = lane_max(high) - least;
    const float inverse = range > 1e-30F ? 255.0F / range : 0.0F;  // less is 0: its inverse would not be finite
    const std::int32_t zero = static_cast<std::int32_t>(0.5F - least * inverse);
    for (i = 0; i + kLanes <= n; i += kLanes) store_bytes(out + i, load(x + i) * splat(inverse), zero);
    if (i < n) {
        std::uint8_t rest[kLanes];
        store_bytes(rest, load_part(x + i, n - i, 0.0F) * splat(inverse), zero);
        for (int j = 0; i < n; ++i, ++j) out[i] = rest[j];
    }
    for (; i % 4 != 0; ++i) out[i] = 0;
    return {range / 255.0F, zero};
}

#endif

template <int Rows, class Weight>
void tile_column(const GemmArgs<Weight>& g, int row, int panel, Ahead ahead) {
    tile<Rows, 1>(g, row, panel, ahead);
}

template <class Weight>
using Tile = void (*)(const GemmArgs<Weight>&, int, int, Ahead);
template <class Weight>
constexpr Tile<Weight> kTiles[] = {
    nullptr,         tile_column<1>,  tile_column<2>, tile_column<3>,  tile_column<4>, tile_column<5>, tile_column<6>,
#if VISAVIS_MAX_ROWS > 6
    tile_column<7>,  tile_column<8>,  tile_column<9>, tile_column<10>,
#endif
#if VISAVIS_MAX_ROWS > 10
    tile_column<11>, tile_column<12>,
#endif
};
static_assert(sizeof kTiles<float> / sizeof kTiles<float>[0] == kMaxRows + 1);

// Few rows take several panels at once, to hide the latency of their few sums.
template <int Rows, int Panels, class Weight>
int wide_tiles(const GemmArgs<Weight>& g, int n_panels) {
    int panel = 0;
    for (; panel + Panels <= n_panels; panel += Panels) tile<Rows, Panels>(g, 0, panel, {});
    return panel;
}

template <class Weight>
int few_rows(const GemmArgs<Weight>& g, int n_panels) {
    if (g.m == 1) return wide_tiles<1, 4>(g, n_panels);
    if (g.m == 2) return wide_tiles<2, 2>(g, n_panels);
#if VISAVIS_MAX_ROWS > 6
    if (g.m == 3) return wide_tiles<3, 3>(g, n_panels);
    if (g.m == 4) return wide_tiles<4, 2>(g, n_panels);
    if (g.m == 5) return wide_tiles<5, 2>(g, n_panels);
#endif
    return 0;
}

template <class Weight>
void multiply(const GemmArgs<Weight>& g) {
    const int n_panels = (g.n + kPanel - 1) / kPanel;
    const int n_tiles = (g.m + kMaxRows - 1) / kMaxRows;
    const std::ptrdiff_t panel_bytes = g.panel_stride * static_cast<std::ptrdiff_t>(sizeof(Weight));
    for (int panel = few_rows(g, n_panels); panel < n_panels; ++panel) {
        const char* next = reinterpret_cast<const char*>(g.panels + (panel + 1) * g.panel_stride);
        const bool last = panel + 1 == n_panels;
        for (int t = 0, row = 0; t < n_tiles; ++t) {
            const int rows = (g.m - row + n_tiles - t - 1) / (n_tiles - t);  // even split
            const Ahead ahead = last ? Ahead{next - panel_bytes, 0}
                                     : Ahead{next + panel_bytes / n_tiles * t,
                                             static_cast<std::ptrdiff_t>(kPanel * sizeof(float)) / n_tiles};
            kTiles<Weight>[rows](g, row, panel, ahead);
            row += rows;
        }
    }
}

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

void layer_norm(float* out, const float* x, const float* gain, const float* bias, float eps, int n) {
    const float mean = sum_of(x, n) / static_cast<float>(n);
    const float variance = square_sum_of(x, mean, n) / static_cast<float>(n);
    const float scale = 1.0F / root(variance + eps);
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
    VISAVIS_TEXT(VISAVIS_ISA_NAME),
    VISAVIS_ISA_NAME::kPanel,
    VISAVIS_ISA_NAME::multiply<float>,
#if defined(VISAVIS_HAS_BF16)
    VISAVIS_ISA_NAME::multiply<std::uint16_t>,
    VISAVIS_ISA_NAME::to_bf16,
#else
    nullptr,
    nullptr,
#endif
#if defined(VISAVIS_HAS_INT8)
    VISAVIS_ISA_NAME::multiply<std::int8_t>,
    VISAVIS_ISA_NAME::to_bytes,
#else
    nullptr,
    nullptr,
#endif
    VISAVIS_ISA_NAME::gelu,
    VISAVIS_ISA_NAME::silu,
    VISAVIS_ISA_NAME::layer_norm,
    VISAVIS_ISA_NAME::softmax,
};

}  // namespace visavis::cpu
