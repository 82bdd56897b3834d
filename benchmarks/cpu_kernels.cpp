// What the CPU engine's kernels reach on this processor, one thread: GFLOP/s of the matrix product in every instruction
// set and precision, and microseconds of the smaller ones.  Prints JSON; benchmarks/cpu_engine.py builds and runs it.
//
// Processor time of the thread, best of several runs: what others on the machine take does not count, what they do to
// caches and clock does.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "engines/cpu/compute.h"
#include "error.h"

namespace {

using namespace visavis::cpu;

constexpr int kRounds = 15;
constexpr double kRoundSeconds = 0.002;

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Seconds of one call.
double best_time(const std::function<void()>& call) {
    call();
    const double start = thread_seconds();
    call();
    const int n = std::max(1, static_cast<int>(kRoundSeconds / (thread_seconds() - start + 1e-9)));
    double best = 1e9;
    for (int round = 0; round < kRounds; ++round) {
        const double begin = thread_seconds();
        for (int i = 0; i < n; ++i) call();
        best = std::min(best, (thread_seconds() - begin) / n);
    }
    return best;
}

std::vector<float> random_values(std::size_t n) {
    std::mt19937 generator(1);
    std::normal_distribution<float> normal;
    std::vector<float> values(n);
    for (float& x : values) x = normal(generator);
    return values;
}

struct Shape {
    int m, k, n;
};

// The default model's rows for one and for twelve heads, and the shapes of TIMAR-large.
constexpr Shape kShapes[] = {{1, 288, 288},   {10, 224, 672},  {10, 896, 224},    {12, 288, 288},    {120, 224, 672},
                             {120, 224, 896}, {120, 896, 224}, {110, 1024, 1024}, {110, 1024, 4096}, {110, 4096, 1024}};

double gemm_gflops(Compute& compute, Format format, Shape shape) {
    const auto [m, k, n] = shape;
    const std::vector<float> x = random_values(elements(m, k)), w = random_values(elements(n, k));
    const Linear linear(compute.kernels(), format, w, random_values(elements(n)), n, k);
    std::vector<float> y(elements(m, n));
    const double seconds = best_time([&] { compute.apply(linear, {x.data(), k}, {y.data(), m, n}); });
    return 2.0 * m * k * n / seconds / 1e9;
}

const char* name_of(Format format) {
    return format == Format::kF32 ? "f32" : format == Format::kBf16 ? "bf16" : "int8";
}

void print_gemm(const Kernels& kernels, Format format, bool& first) {
    Compute compute(kernels);
    for (const Shape& shape : kShapes) {
        std::printf("%s\n  {\"isa\": \"%s\", \"precision\": \"%s\", \"m\": %d, \"k\": %d, \"n\": %d, \"gflops\": %.1f}",
                    first ? "" : ",", kernels.name, name_of(format), shape.m, shape.k, shape.n,
                    gemm_gflops(compute, format, shape));
        first = false;
    }
}

void print_rows(const Kernels& kernels, bool& first) {
    constexpr int n = 400;
    std::vector<float> row = random_values(n), out(n), bias(n);
    const auto print = [&](const char* name, const std::function<void()>& call) {
        std::printf("%s\n  {\"isa\": \"%s\", \"function\": \"%s\", \"n\": %d, \"ns\": %.1f}", first ? "" : ",",
                    kernels.name, name, n, 1e9 * best_time(call));
        first = false;
    };
    print("softmax", [&] { kernels.softmax(row.data(), bias.data(), 0.1F, n); });
    print("gelu", [&] {
        out = row;
        kernels.gelu(out.data(), n);
    });
    print("silu", [&] { kernels.silu(out.data(), row.data(), n); });
    print("layer_norm", [&] { kernels.layer_norm(out.data(), row.data(), bias.data(), bias.data(), 1e-6F, n); });
}

}  // namespace

int main() {
    std::string gemm, rows;
    std::vector<const Kernels*> tables;
    for (const char* name : {"base", "neon", "avx2", "avx512", "avx512vnni", "avx512bf16"}) {
        setenv("VISAVIS_ISA", name, 1);
        try {
            Precision precision = Precision::kAuto;
            tables.push_back(&choose_kernels(precision));
        } catch (const visavis::Error&) {  // not on this processor
        }
    }
    bool first = true;
    std::printf("{\"gemm\": [");
    for (const Kernels* kernels : tables) {
        if (!kernels->gemm_int8) print_gemm(*kernels, Format::kF32, first);
        if (kernels->gemm_bf16) print_gemm(*kernels, Format::kBf16, first);
        if (kernels->gemm_int8) print_gemm(*kernels, Format::kInt8, first);
    }
    first = true;
    std::printf("], \"rows\": [");
    for (const Kernels* kernels : tables) print_rows(*kernels, first);
    std::printf("]}\n");
    return 0;
}
