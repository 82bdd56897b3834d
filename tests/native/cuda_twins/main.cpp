// The twins of the CUDA kernels against the kernels of the CPU engine, on the same bfloat16 numbers.
#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "engines/cpu/compute.h"
#include "engines/cuda/halves.h"
#include "twins.h"

namespace visavis::cuda::test {
namespace {

using Floats = std::vector<float>;
using Bits = std::vector<std::uint16_t>;

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

const cpu::Kernels& kernels() {
    cpu::Precision precision = cpu::Precision::kF32;
    return cpu::choose_kernels(precision);
}

// Normal numbers that a bfloat16 holds: both engines compute with the very same ones.
Floats random(std::int64_t n, unsigned seed, float scale = 1) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, scale);
    Floats out(size(n));
    for (float& x : out) x = half_value(Half::kBf16, to_half(Half::kBf16, normal(generator)));
    return out;
}

Bits bits_of(const Floats& values) {
    Bits out;
    for (const float x : values) out.push_back(to_half(Half::kBf16, x));
    return out;
}

void compare(const char* name, const Floats& twin, const Floats& engine, double tolerance) {
    double difference = 0, length = 0;
    for (std::size_t i = 0; i < twin.size(); ++i) {
        difference += std::pow(static_cast<double>(twin[i] - engine[i]), 2);
        length += std::pow(static_cast<double>(engine[i]), 2);
    }
    const double error = std::sqrt(difference / length);
    std::printf("%s %.3g\n", name, error);
    if (!(error <= tolerance))
        throw std::runtime_error(std::string(name) + ": the twin is not the CPU engine's kernel");
}

void check_gemm(Activation activation, cpu::Activation of_cpu, bool gated, bool accumulate) {
    const int m = 13, n = 37, k = 50;
    const Floats a = random(m * k, 1), weight = random(n * k, 2, 0.2F), bias = random(n, 3), gate = random(m * n, 4);
    const Bits packed = pack(Half::kBf16, weight, n, k), a_bits = bits_of(a);
    Floats twin_out = random(m * n, 5), cpu_out = twin_out;
    const int n_turns = 1;
    GemmParams p;
    p.count = {&n_turns, 1, m};
    p.a = a_bits.data();
    p.a_rows.stride = k;
    p.weight = {packed.data(), n, k};
    p.bias = bias.data();
    p.activation = activation;
    p.gate = gated ? gate.data() : nullptr;
    p.gate_stride = n;
    p.accumulate = accumulate;
    p.out = twin_out.data();
    p.c_rows.stride = n;
    twin::gemm(Half::kBf16, p);
    cpu::Compute compute(kernels());
    const cpu::Linear linear(kernels(), cpu::Format::kF32, weight, bias, n, k);
    compute.apply(linear, {a.data(), k}, {cpu_out.data(), m, n},
                  {.activation = of_cpu, .gate = p.gate, .gate_stride = n, .accumulate = accumulate});
    compare("gemm", twin_out, cpu_out, 1e-5);
}

void check_exact() {
    const int m = 9, n = 40, k = 61, stride = 7, n_turns = 1;
    const Floats a = random(m * stride + k, 6), weight = random(n * k, 7), bias = random(n, 8);
    const Floats packed = pack_exact(weight, n, k);
    Floats twin_out(size(m * n)), cpu_out(size(m * n));
    ExactGemmParams p;
    p.count = {&n_turns, 1, m};
    p.a = a.data();
    p.a_rows.stride = stride;
    p.weight = packed.data();
    p.bias = bias.data();
    p.n = n;
    p.k = k;
    p.out = twin_out.data();
    p.c_rows.stride = n;
    twin::exact_gemm(Half::kBf16, p);
    cpu::Compute compute(kernels());
    compute.apply(cpu::Linear(kernels(), cpu::Format::kF32, weight, bias, n, k), {a.data(), stride},
                  {cpu_out.data(), m, n});
    compare("exact_gemm", twin_out, cpu_out, 1e-5);
}

void check_norm() {
    const int rows = 5, width = 93, n_turns = 1;
    const Floats x = random(rows * width, 9, 4), gain = random(width, 10), bias = random(width, 11);
    Floats twin_out(x.size()), cpu_out(x.size());
    NormParams p;
    p.count = {&n_turns, 1, rows};
    p.in = x.data();
    p.in_rows.stride = p.out_rows.stride = p.width = width;
    p.gain = gain.data();
    p.bias = bias.data();
    p.out = twin_out.data();
    twin::norm(Half::kBf16, p);
    for (int r = 0; r < rows; ++r) {
        kernels().layer_norm(cpu_out.data() + r * width, x.data() + r * width, gain.data(), bias.data(), p.eps, width);
    }
    compare("norm", twin_out, cpu_out, 1e-5);
}

// A ring that is full, seen from its second place, as engines/cpu/backbone.cpp attends to it.
void check_attention() {
    const int tokens = 6, heads = 2, head_width = 32, context = 3, place = 1, n_turns = 1;
    const int width = heads * head_width, keys = context * tokens;
    const Floats q = random(tokens * width, 12), past = random(std::int64_t{keys} * 2 * width, 13);
    const Floats turn_bias = random(heads * context, 14);
    Bits q_bits = bits_of(q), past_bits = bits_of(past), out(size(tokens * width));
    Turn turn;
    turn.history = past_bits.data();
    turn.place = place;
    turn.seen = context;
    AttentionParams p;
    p.count = {&n_turns, 1, tokens};
    p.turns = &turn;
    p.q = q_bits.data();
    p.q_stride = width;
    p.heads = heads;
    p.head_width = head_width;
    p.context = context;
    p.scale = 0.2F;
    p.turn_bias = turn_bias.data();
    p.out = out.data();
    p.out_stride = width;
    twin::attention(Half::kBf16, p);
    Floats twin_out, cpu_out(out.size());
    for (const std::uint16_t x : out) twin_out.push_back(half_value(Half::kBf16, x));
    cpu::Compute compute(kernels());
    for (int head = 0; head < heads; ++head) {
        cpu::PackedMatrix key_matrix(kernels(), cpu::Format::kF32, keys, head_width);
        cpu::PackedMatrix value_matrix(kernels(), cpu::Format::kF32, head_width, keys);
        for (int key = 0; key < keys; ++key) {
            for (int d = 0; d < head_width; ++d) {
                const float* token = past.data() + key * 2 * width + head * head_width + d;
                key_matrix.set(key, d, token[0]);
                value_matrix.set(d, key, token[width]);
            }
        }
        Floats logits(size(tokens * keys)), bias(size(keys + 64));
        for (int key = 0; key < keys; ++key) {
            const int distance = (place - key / tokens + context) % context;
            bias[size(key)] = turn_bias[size(head * context + distance)];
        }
        compute.multiply(key_matrix, keys, head_width, {q.data() + head * head_width, width},
                         {logits.data(), tokens, keys});
        for (int t = 0; t < tokens; ++t) kernels().softmax(logits.data() + t * keys, bias.data(), p.scale, keys);
        compute.multiply(value_matrix, head_width, keys, {logits.data(), keys},
                         {cpu_out.data() + head * head_width, tokens, width});
    }
    compare("attention", twin_out, cpu_out, 4e-3);  // the twin rounds what it stores
}

}  // namespace
}  // namespace visavis::cuda::test

int main() {
    using namespace visavis::cuda;
    namespace cpu = visavis::cpu;
    try {
        test::check_gemm(Activation::kNone, cpu::Activation::kNone, false, false);
        test::check_gemm(Activation::kGelu, cpu::Activation::kGelu, false, true);
        test::check_gemm(Activation::kRelu, cpu::Activation::kRelu, true, false);
        test::check_gemm(Activation::kSilu, cpu::Activation::kSilu, true, true);
        test::check_exact();
        test::check_norm();
        test::check_attention();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
