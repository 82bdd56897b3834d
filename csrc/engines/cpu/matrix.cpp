#include "engines/cpu/matrix.h"

namespace visavis::cpu {

PackedMatrix::PackedMatrix(const Kernels& kernels, int n_out, int n_in)
    : n_out_(n_out), n_in_(n_in), panel_(kernels.panel), panels_(elements(padded_out(), n_in)) {}

PackedMatrix::PackedMatrix(const Kernels& kernels, std::span<const float> row_major, int n_out, int n_in)
    : PackedMatrix(kernels, n_out, n_in) {
    const float* value = row_major.data();
    for (int out = 0; out < n_out; ++out) {
        for (int in = 0; in < n_in; ++in) set(out, in, *value++);
    }
}

void PackedMatrix::set_outputs(int out, int n, int in, const float* values) {
    while (n > 0) {
        const int run = std::min(n, panel_ - out % panel_);
        std::copy_n(values, run, panels_.data() + offset(out, in));
        out += run;
        values += run;
        n -= run;
    }
}

Linear::Linear(const Kernels& kernels, std::span<const float> weight_values, std::span<const float> bias_values,
               int n_out, int n_in)
    : weight(kernels, weight_values, n_out, n_in), bias(static_cast<std::size_t>(weight.padded_out())) {
    std::copy(bias_values.begin(), bias_values.end(), bias.data());
}

namespace {

GemmArgs arguments(const PackedMatrix& weight, ConstRows x, Rows y) {
    GemmArgs args;
    args.a = x.data;
    args.a_stride = x.stride;
    args.panels = weight.panels();
    args.panel_stride = weight.panel_stride();
    args.c = y.data;
    args.c_stride = y.stride;
    args.m = y.rows;
    args.n = weight.n_out();
    args.k = weight.n_in();
    return args;
}

}  // namespace

void apply(const Kernels& kernels, const Linear& linear, ConstRows x, Rows y, Store store) {
    GemmArgs args = arguments(linear.weight, x, y);
    args.bias = linear.bias.data();
    args.accumulate = store == Store::kAdd;
    kernels.gemm(args);
}

void multiply(const Kernels& kernels, const PackedMatrix& weight, int n_out, int n_in, ConstRows x, Rows y) {
    GemmArgs args = arguments(weight, x, y);
    args.n = n_out;
    args.k = n_in;
    kernels.gemm(args);
}

}  // namespace visavis::cpu
