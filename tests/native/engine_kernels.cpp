// Every table of kernels against double precision, and each row against itself alone.
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "engine_test.h"
#include "engines/cpu/compute.h"
#include "error.h"
#include "plain_kernels.h"

namespace visavis::test {
namespace {

using cpu::Activation;
using cpu::elements;
using cpu::Epilogue;
using cpu::Format;
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

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double silu(double x) { return x / (1 + std::exp(-x)); }

double activated(Activation activation, double x) {
    switch (activation) {
        case Activation::kRelu: return std::max(x, 0.0);
        case Activation::kGelu: return gelu(x);
        case Activation::kSilu: return silu(x);
        default: return x;
    }
}

// The value that a matrix of that format computes with.
double kept(Format format, float x) {
    if (format == Format::kF32) return static_cast<double>(x);
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(cpu::to_bf16(x)) << 16));
}

// A product in all its forms: rows that overlap and lie in groups, a gap between rows out, the epilogue.
class GemmCheck {
  public:
    GemmCheck(const Kernels& kernels, Format format, Shape shape, Epilogue epilogue)
        : compute_(kernels),
          format_(format),
          shape_(shape),
          epilogue_(epilogue),
          a_stride_(shape.k / 2 + 1),
          c_stride_(shape.n + 3),
          a_(random(elements(shape.m + shape.m / 3 + 1, a_stride_) + elements(shape.k), 1)),
          weight_(random(elements(shape.n, shape.k), 2)),
          bias_(random(elements(shape.n), 3)),
          before_(random(elements(shape.m, c_stride_), 4)),
          gate_(random(elements(shape.m, c_stride_), 5)),
          linear_(kernels, format, weight_, bias_, shape.n, shape.k) {
        if (epilogue.gate) epilogue_.gate = gate_.data();
        epilogue_.gate_stride = c_stride_;
    }

    void run() {
        for (const int group : {0, 3}) {  // the second group begins one row later than without groups
            const cpu::ConstRows x{a_.data(), a_stride_, group, (group + 1) * a_stride_};
            Floats c = before_;
            compute_.apply(linear_, x, {c.data(), shape_.m, c_stride_}, epilogue_);
            for (int i = 0; i < shape_.m; ++i) check_row(i, x.row(i), c.data() + i * c_stride_);
        }
    }

  private:
    void check_row(int i, const float* x, const float* c) {
        const float* before = before_.data() + i * c_stride_;
        for (int j = 0; j < c_stride_; ++j) {
            if (j >= shape_.n) {
                expect(c[j] == before[j], "gemm writes beyond its columns");
                continue;
            }
            expect(std::abs(static_cast<double>(c[j]) - value(i, j, x)) < 2e-6 * (shape_.k + 8), "gemm value");
        }
        Floats alone(before, before + c_stride_);
        Epilogue epilogue = epilogue_;
        if (epilogue.gate) epilogue.gate += i * c_stride_;
        compute_.apply(linear_, {x, a_stride_}, {alone.data(), 1, c_stride_}, epilogue);
        expect(std::memcmp(alone.data(), c, alone.size() * sizeof(float)) == 0,
               "gemm: a row depends on the rows beside it");
    }

    double value(int i, int j, const float* x) const {
        double sum = static_cast<double>(bias_[elements(j)]) + product(x, j);
        sum = activated(epilogue_.activation, sum);
        const std::size_t at = elements(i, c_stride_) + elements(j);
        if (epilogue_.gate) sum *= static_cast<double>(gate_[at]);
        return sum + (epilogue_.accumulate ? static_cast<double>(before_[at]) : 0.0);
    }

    double product(const float* x, int j) const {
        double sum = 0;
        if (format_ == Format::kInt8) {
            std::vector<std::uint8_t> bytes(elements(shape_.k + 4));
            const cpu::ByteScale row = compute_.kernels().to_bytes(bytes.data(), x, shape_.k);
            const cpu::PackedMatrix& weight = linear_.weight;
            for (int p = 0; p < shape_.k; ++p) {
                sum += (bytes[elements(p)] - row.zero) * weight.bytes()[weight.offset(j, p)];
            }
            return sum * static_cast<double>(row.scale) * static_cast<double>(weight.scales()[j]);
        }
        for (int p = 0; p < shape_.k; ++p) {
            sum += kept(format_, x[p]) * kept(format_, weight_[elements(j, shape_.k) + elements(p)]);
        }
        return sum;
    }

    cpu::Compute compute_;
    Format format_;
    Shape shape_;
    Epilogue epilogue_;
    int a_stride_, c_stride_;
    Floats a_, weight_, bias_, before_, gate_;
    cpu::Linear linear_;
};

void check_gemm(const Kernels& kernels, Format format) {
    constexpr float kGated = 1;
    const Epilogue epilogues[] = {{},
                                  {.accumulate = true},
                                  {.activation = Activation::kGelu},
                                  {.activation = Activation::kRelu, .accumulate = true},
                                  {.activation = Activation::kSilu, .gate = &kGated, .accumulate = true},
                                  {.gate = &kGated}};
    for (int m = 1; m <= 14; ++m) GemmCheck(kernels, format, {m, 37, 19}, epilogues[m % 6]).run();
    for (const Epilogue& epilogue : epilogues) GemmCheck(kernels, format, {13, 77, 18}, epilogue).run();
    for (const Shape shape : {Shape{1, 1, 1}, {1, 300, 64}, {2, 97, 33}, {3, 128, 1}, {25, 96, 200}, {40, 33, 7}}) {
        GemmCheck(kernels, format, shape, {}).run();
    }
}

// Halves are rounded to nearest, ties to even, by the processor as when weights are packed.
void check_rounding(const Kernels& kernels) {
    Floats x = random(1001, 11);
    for (const std::uint32_t low : {0x0U, 0x1U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
        for (const std::uint32_t high : {0x3F80U, 0x3F81U, 0xBF80U, 0x4049U, 0x0000U}) {
            x.push_back(std::bit_cast<float>(high << 16 | (high ? low : 0U)));
        }
    }
    const int n = static_cast<int>(x.size());
    std::vector<std::uint16_t> halves(x.size() + 1, 7);
    kernels.to_bf16(halves.data(), x.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) expect(halves[i] == cpu::to_bf16(x[i]), "to_bf16 value");
    expect(n % 2 == 1 && halves.back() == 0, "to_bf16 fills up the last pair");
}

// A byte is the nearest there is of a row, of a matrix's outputs likewise.
void check_bytes(const Kernels& kernels) {
    for (const int n : {1, 2, 3, 4, 15, 16, 17, 100, 257}) {
        for (const float shift : {-3.0F, 0.0F, 0.5F, 9.0F}) {
            Floats x = random(elements(n), 12);
            for (float& value : x) value += shift;
            std::vector<std::uint8_t> bytes(elements(n + 4), 9);
            const cpu::ByteScale row = kernels.to_bytes(bytes.data(), x.data(), n);
            expect(row.zero >= 0 && row.zero <= 255 && row.scale > 0, "the zero of bytes");
            for (int i = 0; i < n; ++i) {
                const float found = row.scale * static_cast<float>(bytes[elements(i)] - row.zero);
                expect(std::abs(found - x[elements(i)]) <= 0.501F * row.scale, "to_bytes value");
            }
            for (int i = n; i < n + 4; ++i) expect(bytes[elements(i)] == (i < (n + 3) / 4 * 4 ? 0 : 9), "bytes behind");
        }
    }
    for (const float tiny : {0.0F, 1e-40F, -1e-35F}) {
        const Floats x(5, tiny);
        std::vector<std::uint8_t> bytes(8);
        const cpu::ByteScale row = kernels.to_bytes(bytes.data(), x.data(), 5);
        expect(row.scale * static_cast<float>(bytes[0] - row.zero) == 0, "a row of next to nothing is zeros");
    }
    const int n = 2 * kernels.panel + 3, k = 21;
    Floats weight = random(elements(n, k), 13);
    std::fill_n(weight.begin() + k, k, 0.0F);  // an output without weights
    const cpu::PackedMatrix matrix(kernels, Format::kInt8, weight, n, k);
    for (int out = 0; out < n; ++out) {
        std::int32_t sum = 0;
        for (int in = 0; in < k; ++in) {
            const std::int8_t byte = matrix.bytes()[matrix.offset(out, in)];
            const float found = matrix.scales()[out] * byte, value = weight[elements(out, k) + elements(in)];
            expect(std::abs(found - value) <= 0.5001F * matrix.scales()[out], "a weight as a byte");
            sum += byte;
        }
        expect(sum == matrix.sums()[out], "the sum of an output's bytes");
    }
}

// A crew's product is the bytes of one thread's.
void check_shared(const Kernels& kernels, Format format) {
    cpu::Crew crew(3);
    cpu::Compute shared(kernels, &crew), alone(kernels);
    for (const Shape shape : {Shape{3, 5003, 301}, {50, 331, 200}, {113, 97, 254}}) {
        const auto [m, n, k] = shape;
        const Floats x = random(elements(m, k), 14), gate = random(elements(m, n), 15);
        const cpu::Linear linear(kernels, format, random(elements(n, k), 16), random(elements(n), 17), n, k);
        Floats y(elements(m, n)), z(elements(m, n));
        for (const int stride : {k, k - 10}) {  // rows on their own, rows that overlap
            const Epilogue epilogue{
                .activation = Activation::kSilu, .gate = gate.data(), .gate_stride = n, .accumulate = true};
            shared.apply(linear, {x.data(), stride}, {y.data(), m, n}, epilogue);
            alone.apply(linear, {x.data(), stride}, {z.data(), m, n}, epilogue);
            expect(std::memcmp(y.data(), z.data(), y.size() * sizeof(float)) == 0, "a product shared by threads");
        }
    }
}

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
    kernels.layer_norm(plain.data(), x.data(), nullptr, nullptr, 1e-6F, n);
    kernels.layer_norm(affine.data(), x.data(), gain.data(), bias.data(), 1e-6F, n);
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

void check_values_set_later(const Kernels& kernels, Format format) {
    const int n = 2 * kernels.panel + 3, k = 5;
    const Floats weight = random(elements(n, k), 10);
    const cpu::PackedMatrix whole(kernels, format, weight, n, k);
    cpu::PackedMatrix built(kernels, format, n, k);
    for (int out = 0; out < n; ++out) {
        for (int in = 0; in < k; ++in) {
            const float value = weight[elements(out, k) + elements(in)];
            if (format == Format::kF32) built.set(out, in, value);
            if (format == Format::kBf16) built.set(out, in, cpu::to_bf16(value));
        }
    }
    const auto size = static_cast<std::size_t>(whole.panel_stride()) * elements(whole.padded_out() / kernels.panel);
    if (format == Format::kF32) {
        expect(std::memcmp(whole.floats(), built.floats(), size * sizeof(float)) == 0, "a matrix set value by value");
    } else {
        expect(std::memcmp(whole.halves(), built.halves(), size * 2) == 0, "a matrix of halves set value by value");
    }
}

// Those that this processor runs, and the plain ones.
std::vector<const Kernels*> tables() {
    std::vector<const Kernels*> found{&cpu::kPlainKernels};
    for (const char* name : {"base", "neon", "avx2", "avx512", "avx512vnni", "avx512bf16"}) {
        setenv("VISAVIS_ISA", name, 1);
        try {
            cpu::Precision precision = cpu::Precision::kAuto;
            found.push_back(&cpu::choose_kernels(precision));
            expect((precision == cpu::Precision::kBf16) == (found.back()->gemm_bf16 != nullptr), "the precision fits");
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
        check_gemm(*kernels, Format::kF32);
        check_shared(*kernels, Format::kF32);
        check_values_set_later(*kernels, Format::kF32);
        if (kernels->gemm_bf16) {
            check_gemm(*kernels, Format::kBf16);
            check_shared(*kernels, Format::kBf16);
            check_values_set_later(*kernels, Format::kBf16);
            check_rounding(*kernels);
        }
        if (kernels->gemm_int8) {
            check_gemm(*kernels, Format::kInt8);
            check_shared(*kernels, Format::kInt8);
            check_bytes(*kernels);
        }
        check_activations(*kernels);
        for (const int n : {1, 3, 8, 16, 17, 31, 55, 224, 288}) {
            check_norm(*kernels, n);
            check_softmax(*kernels, n);
        }
        names.append(names.empty() ? "" : " ").append(kernels->name);
    }
    return names;
}

}  // namespace visavis::test
