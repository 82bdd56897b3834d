#include "engines/cpu/matrix.h"

#include <bit>
#include <cmath>
#include <string>

#include "error.h"

namespace visavis::cpu {
namespace {

constexpr float kLeastByteRange = 1e-30F;  // less is 0: its inverse would not be finite
constexpr int kMostBytes = 65536;          // inputs whose products, 255 * 127 at most, add up to less than 2^31

// Row `out` of a matrix to the groups of inputs that its panel keeps together.
template <class Value, class Convert>
void place(Value* to, const float* values, int n_in, int group, int panel, const Convert& convert) {
    for (int in = 0; in < n_in; in += group, to += static_cast<std::ptrdiff_t>(group) * panel) {
        for (int i = 0; i < std::min(group, n_in - in); ++i) to[i] = convert(values[in + i]);
    }
}

}  // namespace

std::uint16_t to_bf16(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

PackedMatrix::PackedMatrix(const Kernels& kernels, Format format, int n_out, int n_in)
    : format_(format), n_out_(n_out), n_in_(n_in), panel_(kernels.panel) {
    const std::size_t size = elements(padded_out(), padded_in());
    if (format_ == Format::kF32) {
        floats_ = Buffer(size);
    } else if (format_ == Format::kBf16) {
        halves_ = Halves(size);
    } else {
        if (n_in > kMostBytes) {
            throw Error(Status::kUnsupported, "engine cpu: a matrix has " + std::to_string(n_in) +
                                                  " inputs; precision int8 takes at most " +
                                                  std::to_string(kMostBytes));
        }
        bytes_ = Array<std::int8_t>(size);
        scales_ = Buffer(elements(padded_out()));
        sums_ = Array<std::int32_t>(elements(padded_out()));
    }
}

PackedMatrix::PackedMatrix(const Kernels& kernels, Format format, std::span<const float> row_major, int n_out, int n_in)
    : PackedMatrix(kernels, format, n_out, n_in) {
    const float* values = row_major.data();
    for (int out = 0; out < n_out; ++out, values += n_in) set_row(out, values);
}

void PackedMatrix::set_row(int out, const float* values) {
    const std::ptrdiff_t at = offset(out, 0);
    switch (format_) {
        case Format::kF32: place(floats_.data() + at, values, n_in_, 1, panel_, [](float x) { return x; }); break;
        case Format::kBf16: place(halves_.data() + at, values, n_in_, 2, panel_, to_bf16); break;
        case Format::kInt8: set_bytes(out, values); break;
    }
}

void PackedMatrix::set_bytes(int out, const float* values) {
    float most = 0;
    for (int in = 0; in < n_in_; ++in) most = std::max(most, std::abs(values[in]));
    if (most < kLeastByteRange) return;
    const float inverse = 127 / most;
    std::int32_t sum = 0;
    place(bytes_.data() + offset(out, 0), values, n_in_, 4, panel_, [&](float x) {
        const auto byte = static_cast<std::int8_t>(std::lrint(x * inverse));
        sum += byte;
        return byte;
    });
    scales_.data()[out] = most / 127;
    sums_.data()[out] = sum;
}

Linear::Linear(const Kernels& kernels, Format format, std::span<const float> weight_values,
               std::span<const float> bias_values, int n_out, int n_in)
    : weight(kernels, format, weight_values, n_out, n_in), bias(static_cast<std::size_t>(weight.padded_out())) {
    std::copy(bias_values.begin(), bias_values.end(), bias.data());
}

}  // namespace visavis::cpu
