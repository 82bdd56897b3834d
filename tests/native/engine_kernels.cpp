// Every table of kernels against double precision, and each row against itself alone.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "engine_test.h"
#include "engines/cpu/matrix.h"
#include "error.h"
#include "plain_kernels.h"

namespace visavis::test {
namespace {

using cpu::elements;
using cpu::Kernels;
using Floats = std::vector<float>;

Floats random(std::size_t n, unsigned seed, float scale = 1) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, scale);
    Floats out(n);
    for (float& x : out) x = normal(generator);
    return out;
}

struct Shape {
    int m, n, k;
};

void check_gemm(const Kernels& kernels, Shape shape, bool accumulate) {
    const auto [m, n, k] = shape;
    const int a_stride = k / 2 + 1, c_stride = n + 3;  // overlapping rows in, a gap between rows out
    const Floats a = random(elements(m - 1, a_stride) + elements(k), 1);
    const Floats weight = random(elements(n, k), 2), bias = random(elements(n), 3);
    const Floats before = random(elements(m, c_stride), 4);
    const cpu::Linear linear(kernels, weight, bias, n, k);
    const auto store = accumulate ? cpu::Store::kAdd : cpu::Store::kOverwrite;
    Floats c = before;
    apply(kernels, linear, {a.data(), a_stride}, {c.data(), m, c_stride}, store);
    for (int i = 0; i < m; ++i) {
        for (int j = 0; j < c_stride; ++j) {
            const std::size_t at = elements(i, c_stride) + elements(j);
            if (j >= n) {
                expect(c[at] == before[at], "gemm writes beyond its columns");
                continue;
            }
            double sum = accumulate ? static_cast<double>(before[at]) : 0.0;
            sum += static_cast<double>(bias[elements(j)]);
            for (int p = 0; p < k; ++p) {
                sum += static_cast<double>(a[elements(i, a_stride) + elements(p)]) *
                       static_cast<double>(weight[elements(j, k) + elements(p)]);
            }
            expect(std::abs(static_cast<double>(c[at]) - sum) < 1e-6 * (k + 8), "gemm value");
        }
        Floats alone(before.begin() + i * c_stride, before.begin() + (i + 1) * c_stride);
        apply(kernels, linear, {a.data() + i * a_stride, a_stride}, {alone.data(), 1, c_stride}, store);
        expect(std::memcmp(alone.data(), c.data() + i * c_stride, alone.size() * sizeof(float)) == 0,
               "gemm: a row depends on the rows beside it");
    }
}

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double silu(double x) { return x / (1 + std::exp(-x)); }

void check_activations(const Kernels& kernels) {
    Floats x = {-1e30F, -1e4F, -90.0F, -0.0F, 0.0F, 1e-30F, 90.0F, 1e4F, 1e30F};
    for (int i = -160000; i <= 160000; ++i) x.push_back(static_cast<float>(i) * 1e-4F);
    const int n = static_cast<int>(x.size());
    Floats y = x, z(x.size());
    kernels.gelu(y.data(), n);
    kernels.silu(z.data(), x.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double at = static_cast<double>(x[i]), ulp = 1.2e-7 * std::abs(at);
        expect(std::abs(static_cast<double>(y[i]) - gelu(at)) < std::max(1e-6, ulp), "gelu value");
        expect(std::abs(static_cast<double>(z[i]) - silu(at)) < std::max(1e-6, 2 * ulp), "silu value");
    }
}

void check_norm(const Kernels& kernels, int n) {
    Floats x = random(elements(n), 5, 3), gain = random(elements(n), 6), bias = random(elements(n), 7);
    for (float& value : x) value += 20;
    double mean = 0, variance = 0;
    for (const float value : x) mean += static_cast<double>(value) / n;
    for (const float value : x) variance += std::pow(static_cast<double>(value) - mean, 2) / n;
    Floats plain(x.size()), affine(x.size());
    kernels.layer_norm(plain.data(), x.data(), nullptr, nullptr, n);
    kernels.layer_norm(affine.data(), x.data(), gain.data(), bias.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double normed = (static_cast<double>(x[i]) - mean) / std::sqrt(variance + 1e-6);
        const double expected = normed * static_cast<double>(gain[i]) + static_cast<double>(bias[i]);
        expect(std::abs(static_cast<double>(plain[i]) - normed) < 1e-5, "layer_norm value");
        expect(std::abs(static_cast<double>(affine[i]) - expected) < 5e-5, "layer_norm value with gain and bias");
    }
}

void check_softmax(const Kernels& kernels, int n) {
    const Floats row = random(elements(n), 8, 30), bias = random(elements(n), 9);
    Floats weights = row;
    kernels.softmax(weights.data(), bias.data(), 0.7F, n);
    std::vector<double> exact;
    double top = -1e9, sum = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
        exact.push_back(0.7 * static_cast<double>(row[i]) + static_cast<double>(bias[i]));
        top = std::max(top, exact.back());
    }
    for (double& x : exact) sum += x = std::exp(x - top);
    for (std::size_t i = 0; i < row.size(); ++i) {
        expect(std::abs(static_cast<double>(weights[i]) - exact[i] / sum) < 1e-5, "softmax value");
    }
}

void check_columns_set_later(const Kernels& kernels) {
    const int n = 2 * kernels.panel + 3, k = 5;
    const Floats weight = random(elements(n, k), 10);
    const cpu::PackedMatrix whole(kernels, weight, n, k);
    cpu::PackedMatrix built(kernels, n, k);
    for (int in = 0; in < k; ++in) {
        Floats column;
        for (int out = 0; out < n; ++out) column.push_back(weight[elements(out, k) + elements(in)]);
        built.set_outputs(0, 4, in, column.data());
        built.set_outputs(4, n - 4, in, column.data() + 4);
    }
    const std::size_t bytes = elements(whole.padded_out(), k) * sizeof(float);
    expect(std::memcmp(whole.panels(), built.panels(), bytes) == 0, "a matrix set column by column");
}

// Those that this processor runs, and the plain ones.
std::vector<const Kernels*> tables() {
    std::vector<const Kernels*> found{&cpu::kPlainKernels};
    for (const char* name : {"base", "avx2", "avx512"}) {
        setenv("VISAVIS_ISA", name, 1);
        try {
            found.push_back(&cpu::choose_kernels());
            expect(std::strcmp(found.back()->name, name) == 0, "VISAVIS_ISA is obeyed");
        } catch (const Error& error) {
            expect(error.status() == Status::kUnsupported, error.what());
        }
    }
    unsetenv("VISAVIS_ISA");
    return found;
}

}  // namespace

std::string test_kernels() {
    std::string names;
    for (const Kernels* kernels : tables()) {
        for (int m = 1; m <= 14; ++m) check_gemm(*kernels, {m, 37, 19}, m % 2 == 0);
        for (const Shape shape : {Shape{1, 1, 1}, {1, 300, 64}, {3, 128, 1}, {25, 96, 200}, {40, 33, 7}}) {
            check_gemm(*kernels, shape, false);
        }
        check_activations(*kernels);
        for (const int n : {1, 3, 8, 16, 17, 31, 55, 224, 288}) {
            check_norm(*kernels, n);
            check_softmax(*kernels, n);
        }
        check_columns_set_later(*kernels);
        names.append(names.empty() ? "" : " ").append(kernels->name);
    }
    return names;
}

}  // namespace visavis::test
