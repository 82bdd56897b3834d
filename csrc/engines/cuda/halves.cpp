#include "engines/cuda/halves.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "model_file/tensor_values.h"

namespace visavis::cuda {
namespace {

std::uint16_t to_bf16(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

// By adding a number so large that what float keeps of the sum is what F16 keeps of x.
std::uint16_t to_f16(float x) {
    constexpr float kLargest = 65504.0F, kLeastNormal = 0x1p-14F;
    const std::uint32_t sign = std::bit_cast<std::uint32_t>(x) >> 16 & 0x8000U;
    const float size = std::min(std::abs(x), kLargest);
    std::uint32_t bits;
    if (size < kLeastNormal) {  // steps of 2^-24, which end a float of 1/2 has
        bits = std::bit_cast<std::uint32_t>(size + 0.5F) - std::bit_cast<std::uint32_t>(0.5F);
    } else {
        const auto whole = std::bit_cast<std::uint32_t>(size);
        bits = ((whole + 0xFFFU + (whole >> 13 & 1U)) >> 13) - (112U << 10);
    }
    return static_cast<std::uint16_t>(sign | bits);
}

}  // namespace

std::uint16_t to_half(Half half, float x) { return half == Half::kBf16 ? to_bf16(x) : to_f16(x); }

float half_value(Half half, std::uint16_t bits) {
    return half == Half::kBf16 ? gguf::bfloat_to_float(bits) : gguf::half_to_float(bits);
}

std::vector<std::uint16_t> pack(Half half, std::span<const float> matrix, int n, int k) {
    Packed shape;
    shape.n = n;
    shape.k = k;
    std::vector<std::uint16_t> out(static_cast<std::size_t>(shape.size()));
    std::uint16_t* to = out.data();
    for (int row = 0; row < 8 * shape.n_tiles(); row += 8) {
        for (int column = 0; column < 32 * shape.k_tiles(); column += 32) {
            for (int lane = 0; lane < 32; ++lane) {
                for (int i = 0; i < 8; ++i) {  // four pairs
                    const int r = row + lane / 4, c = column + 2 * (lane % 4) + i / 2 * 8 + i % 2;
                    const bool there = r < n && c < k;
                    const auto at =
                        static_cast<std::size_t>(r) * static_cast<std::size_t>(k) + static_cast<std::size_t>(c);
                    *to++ = there ? to_half(half, matrix[at]) : std::uint16_t{0};
                }
            }
        }
    }
    return out;
}

std::vector<float> pack_exact(std::span<const float> matrix, int n, int k) {
    const auto rows = static_cast<std::size_t>(n), columns = static_cast<std::size_t>(k);
    const std::size_t pitch = (rows + 31) / 32 * 32;
    std::vector<float> out(columns * pitch);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; ++c) out[c * pitch + r] = matrix[r * columns + c];
    }
    return out;
}

}  // namespace visavis::cuda
