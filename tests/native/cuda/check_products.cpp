#include <algorithm>

#include "checks.h"
#include "twins.h"

namespace visavis::cuda::test {
namespace {

struct Case {
    int n_turns, most, rows, n, k;  // turns that there are, that there may be, rows of each
    Activation activation = Activation::kNone;
    bool gate = false, accumulate = false, to_half = false, offsets = false, bias = true;
    int n_batches = 1;
};

void check_gemm(Half half, const Case& c, unsigned seed) {
    Random random(seed);
    const int rows = c.most * c.rows, pitch = (c.k + 7) / 8 * 8 + 8, columns = c.n_batches * c.n,
              out_pitch = columns + 3;
    Ints count({c.n_turns});
    Halves a(random.halves(half, std::int64_t{c.n_batches} * (rows + 1) * pitch));
    std::vector<std::uint16_t> packed;
    const std::vector<float> matrix = random.floats(std::int64_t{columns} * c.k, 0.2F);
    for (int i = 0; i < c.n_batches; ++i) {
        const auto part =
            pack(half, std::span(matrix).subspan(size(std::int64_t{i} * c.n * c.k), size(c.n * c.k)), c.n, c.k);
        packed.insert(packed.end(), part.begin(), part.end());
    }
    Halves weight(packed);
    Floats bias(random.floats(columns)), gate(random.floats(std::int64_t{rows} * (columns + 1)));
    Floats out(c.accumulate ? random.floats(std::int64_t{rows} * out_pitch) : poison(std::int64_t{rows} * out_pitch));
    Halves out_half(poison_halves(std::int64_t{rows} * out_pitch));
    // Rows in and out in another order, one of them not written.
    std::vector<std::int32_t> from, to;
    for (int r = 0; r < rows; ++r) {
        from.push_back((rows - r) * pitch);
        to.push_back(r % 5 == 3 ? -1 : (r ^ 1) < rows ? (r ^ 1) * out_pitch : r * out_pitch);
    }
    Ints a_offsets(from), c_offsets(to);
    Floats partial(std::vector<float>(size(GemmRoom::kPartials)));
    Ints counters(std::vector<std::int32_t>(size(GemmRoom::kCounters)));
    const auto params = [&](Side side) {
        GemmParams p;
        p.count = {count.at(side), c.most, c.rows};
        p.a = a.at(side);
        p.a_rows = {pitch, c.offsets ? a_offsets.at(side) : nullptr};
        p.weight = {weight.at(side), c.n, c.k};
        p.bias = c.bias ? bias.at(side) : nullptr;
        p.n_batches = c.n_batches;
        p.a_batch = std::int64_t{rows + 1} * pitch;
        p.c_batch = c.n;
        p.activation = c.activation;
        p.gate = c.gate ? gate.at(side) : nullptr;
        p.gate_stride = columns + 1;
        p.accumulate = c.accumulate;
        p.out = c.to_half ? nullptr : out.at(side);
        p.out_half = c.to_half ? out_half.at(side) : nullptr;
        p.c_rows = {out_pitch, c.offsets ? c_offsets.at(side) : nullptr};
        p.partial = partial.at(side);
        p.counters = counters.at(side);
        return p;
    };
    gemm(launcher(), half, params(Side::kDevice));
    twin::gemm(half, params(Side::kHost));
    if (c.to_half) {
        compare("gemm", half, out_half, tolerance_of(half));
    } else {
        compare("gemm", out, tolerance_of(half));
    }
    const std::vector<std::int32_t> left = counters.of_device();
    if (std::count(left.begin(), left.end(), 0) != GemmRoom::kCounters)
        throw std::runtime_error("gemm: a counter is left");
}

// Queries to their buffer, keys and values to the histories of two turns at different places.
void check_keys_values(Half half) {
    Random random(40);
    const int tokens = 5, width = 48, context = 4, k = 40, layer = 7 * 2 * width;
    Ints count({2});
    Halves a(random.halves(half, 2 * tokens * k)), weight(pack(half, random.floats(3 * width * k, 0.2F), 3 * width, k));
    Halves q(poison_halves(2 * tokens * width));
    const std::int64_t of_slot = layer + 2 * context * tokens * width;
    Halves histories(poison_halves(2 * of_slot));
    Turns turns(2);
    turns.point(&Turn::history, histories, of_slot);
    turns[0].place = 3;
    turns[1].place = 0;
    const auto params = [&](Side side) {
        GemmParams p;
        p.count = {count.at(side), 2, tokens};
        p.a = a.at(side);
        p.a_rows.stride = k;
        p.weight = {weight.at(side), 3 * width, k};
        p.out_half = q.at(side);
        p.c_rows.stride = width;
        p.keys_values = {turns.at(side), tokens, width, layer};
        return p;
    };
    gemm(launcher(), half, params(Side::kDevice));
    twin::gemm(half, params(Side::kHost));
    compare("gemm keys", half, histories, tolerance_of(half));
    compare("gemm queries", half, q, tolerance_of(half));
}

void check_exact(Half half, int rows, int n, int k, bool log_mel) {
    Random random(50);
    Ints count({1});
    const int stride = k / 2 + 1, sides = log_mel ? 2 : 1;  // rows overlap
    Floats a(random.floats(std::int64_t{rows} * stride + sides * k)), bias(random.floats(n));
    std::vector<float> matrix = random.floats(std::int64_t{n} * k);
    if (log_mel) std::for_each(matrix.begin(), matrix.end(), [](float& x) { x = std::abs(x); });
    Floats weight(pack_exact(matrix, n, k)), out(poison(std::int64_t{rows} * (n + 1)));
    Halves out_half(poison_halves(std::int64_t{rows} * (n + 1)));
    const auto params = [&](Side side) {
        ExactGemmParams p;
        p.count = {count.at(side), 1, rows};
        p.a = a.at(side);
        p.a_rows.stride = stride;
        p.weight = weight.at(side);
        p.bias = log_mel ? nullptr : bias.at(side);
        p.n = n;
        p.k = k;
        p.power = p.log_mel = log_mel;
        p.out = log_mel ? nullptr : out.at(side);
        p.out_half = log_mel ? out_half.at(side) : nullptr;
        p.c_rows.stride = n + 1;
        return p;
    };
    exact_gemm(launcher(), half, params(Side::kDevice));
    twin::exact_gemm(half, params(Side::kHost));
    if (log_mel) {
        compare("exact_gemm mel", half, out_half, tolerance_of(half));
    } else {
        compare("exact_gemm", out, kExact);
    }
}

}  // namespace

void check_products(Half half) {
    constexpr auto kGelu = Activation::kGelu, kRelu = Activation::kRelu, kSilu = Activation::kSilu;
    const Case cases[] = {
        // few rows: 16 x 64, with and without splits of k
        {1, 1, 10, 70, 40},
        {2, 4, 5, 64, 224, kGelu, false, false, true},
        {1, 2, 16, 33, 1100, kSilu, true, true, false, true},
        {3, 3, 1, 1, 7, kRelu, false, false, true, true, false},
        // 64 x 64
        {2, 2, 35, 130, 64, Activation::kNone, false, true},
        {3, 4, 20, 97, 50, kRelu, true, true, false, true},
        {1, 1, 64, 64, 700, kGelu, false, false, true},
        // 128 x 128
        {3, 3, 100, 260, 72, kSilu, true, true},
        {5, 8, 64, 520, 33, kGelu, false, false, true, true},
        // in parts
        {2, 2, 9, 24, 100, kGelu, false, true, false, false, true, 3},
        {2, 2, 30, 16, 64, Activation::kNone, false, false, false, false, true, 4},
    };
    unsigned seed = 1;
    for (const Case& c : cases) check_gemm(half, c, seed++);
    check_keys_values(half);
    check_exact(half, 21, 45, 300, false);
    check_exact(half, 1, 33, 1230, false);
    check_exact(half, 35, 48, 201, true);
}

}  // namespace visavis::cuda::test
