#include "engines/cpu/compute.h"

namespace visavis::cpu {
namespace {

// Rows a multiple of 512 bytes apart would lie in a few sets of the first-level cache and drive one another out.
constexpr int kPad = 32;

// Values from one converted row to the next.
int converted_stride(Format format, int n_in) {
    const int group = inputs_together(format), padded = (n_in + group - 1) / group * group;
    const int bytes = padded * 4 / group;
    return bytes % 512 == 0 ? padded + kPad * group / 2 : padded;
}

// Work below this is not worth handing out: some tens of microseconds on one core.
constexpr double kLeastShared = 4e6;

// All of `to` that does not depend on what the weights are made of.
template <class Weight>
void copy_common(GemmArgs<Weight>& to, const GemmArgs<float>& from) {
    to.bias = from.bias;
    to.c = from.c;
    to.c_stride = from.c_stride;
    to.m = from.m;
    to.n = from.n;
    to.k = from.k;
    to.epilogue = from.epilogue;
}

// The outputs from `begin` on, a multiple of the panel's width.
template <class Weight>
GemmArgs<Weight> outputs(GemmArgs<Weight> args, int panel, int begin, int end) {
    args.panels += begin / panel * args.panel_stride;
    args.n = std::min(args.n, end) - begin;
    args.c += begin;
    if (args.bias) args.bias += begin;
    if (args.scales) args.scales += begin;
    if (args.sums) args.sums += begin;
    if (args.epilogue.gate) args.epilogue.gate += begin;
    return args;
}

}  // namespace

Compute::Compute(const Kernels& kernels, Crew* crew) : kernels_(&kernels), crew_(crew) {
    for (int i = 0; crew && i < crew->size(); ++i) helpers_.emplace_back(kernels);
}

void Compute::reserve(int rows, int n_in) {
    for (Compute& helper : helpers_) helper.reserve(rows, n_in);
    // For fewer inputs, too, whose rows may be padded.
    const std::size_t halves = elements(rows, n_in + 1 + kPad), bytes = elements(rows, n_in + 3 + 2 * kPad);
    if (kernels_->gemm_bf16 && halves > halves_.size()) halves_ = Halves(halves);
    if (!kernels_->gemm_int8) return;
    if (bytes > bytes_.size()) bytes_ = Array<std::uint8_t>(bytes);
    if (elements(rows) > byte_scales_.size()) byte_scales_ = Array<ByteScale>(elements(rows));
}

Compute::Halved Compute::convert(ConstRows x, int rows, int n) {
    reserve(rows, n);
    const bool overlap = x.group == 0 && x.stride < n && x.stride % 2 == 0 && n % 2 == 0;
    const std::ptrdiff_t stride = overlap ? x.stride : converted_stride(Format::kBf16, n);
    share_rows(rows, n, [&](int begin, int end) {
        if (overlap) {  // what they share is converted once
            const std::ptrdiff_t size = (end - begin - 1) * stride + (end == rows ? n : stride);
            kernels_->to_bf16(halves_.data() + begin * stride, x.row(begin), static_cast<int>(size));
            return;
        }
        for (int i = begin; i < end; ++i) kernels_->to_bf16(halves_.data() + i * stride, x.row(i), n);
    });
    return {halves_.data(), stride};
}

Compute::Bytes Compute::to_bytes(ConstRows x, int rows, int n) {
    reserve(rows, n);
    const std::ptrdiff_t stride = converted_stride(Format::kInt8, n);
    share_rows(rows, 2 * n, [&](int begin, int end) {
        for (int i = begin; i < end; ++i) {
            byte_scales_.data()[i] = kernels_->to_bytes(bytes_.data() + i * stride, x.row(i), n);
        }
    });
    return {bytes_.data(), stride};
}

// One product, its panels handed out.
template <class Weight>
void Compute::run(void (*gemm)(const GemmArgs<Weight>&), const GemmArgs<Weight>& args) {
    const double work = 2.0 * args.m * args.n * args.k;
    if (!crew_ || work < kLeastShared) return gemm(args);
    constexpr int kFewRows = 6, kPanelsOfFew = 12;  // fewer rows take several panels at once
    const int width = kernels_->panel * (args.m < kFewRows ? kPanelsOfFew : 1);
    share((args.n + width - 1) / width,
          [&](int, int task) { gemm(outputs(args, kernels_->panel, task * width, (task + 1) * width)); });
}

void Compute::product_of_floats(GemmArgs<float> args, ConstRows x) {
    args.a_stride = x.stride;
    const int rows = args.m;
    for (int row = 0; row < rows; row += args.m) {
        args.m = x.group == 0 ? rows : std::min(x.group, rows - row);
        args.a = x.row(row);
        run(kernels_->gemm, args);
        args.c += args.m * args.c_stride;
        if (args.epilogue.gate) args.epilogue.gate += args.m * args.epilogue.gate_stride;
    }
}

// `args` holds everything but the inputs and the weights.
void Compute::product(const PackedMatrix& weight, const GemmArgs<float>& args, ConstRows x) {
    if (weight.format() == Format::kF32) {
        GemmArgs<float> floats = args;
        floats.panels = weight.floats();
        floats.panel_stride = weight.panel_stride();
        product_of_floats(floats, x);
    } else if (weight.format() == Format::kBf16) {
        const Halved converted = convert(x, args.m, args.k);
        GemmArgs<std::uint16_t> halves;
        copy_common(halves, args);
        halves.a = converted.data;
        halves.a_stride = converted.stride;
        halves.panels = weight.halves();
        halves.panel_stride = weight.panel_stride();
        run(kernels_->gemm_bf16, halves);
    } else {
        const Bytes converted = to_bytes(x, args.m, args.k);
        GemmArgs<std::int8_t> bytes;
        copy_common(bytes, args);
        bytes.a = converted.data;
        bytes.a_stride = converted.stride;
        bytes.a_scales = byte_scales_.data();
        bytes.panels = weight.bytes();
        bytes.panel_stride = weight.panel_stride();
        bytes.scales = weight.scales();
        bytes.sums = weight.sums();
        run(kernels_->gemm_int8, bytes);
    }
}

void Compute::apply(const Linear& linear, ConstRows x, Rows y, const Epilogue& epilogue) {
    GemmArgs<float> args;
    args.c = y.data;
    args.c_stride = y.stride;
    args.m = y.rows;
    args.n = linear.weight.n_out();
    args.k = linear.weight.n_in();
    args.bias = linear.bias.data();
    args.epilogue = epilogue;
    product(linear.weight, args, x);
}

void Compute::multiply(const PackedMatrix& weight, int n_out, int n_in, ConstRows x, Rows y) {
    GemmArgs<float> args;
    args.c = y.data;
    args.c_stride = y.stride;
    args.m = y.rows;
    args.n = n_out;
    args.k = n_in;
    product(weight, args, x);
}

}  // namespace visavis::cpu
