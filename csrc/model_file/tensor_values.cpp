// Conversion of stored tensor types to float32.
#include "model_file/tensor_values.h"

#include <bit>
#include <cstring>

namespace visavis::gguf {
namespace {

constexpr std::size_t kBlockValues = 32;  // of Q8_0
constexpr std::size_t kBlockBytes = 2 + kBlockValues;

std::uint16_t load_u16(const std::byte* at) noexcept {
    std::uint16_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

void convert_q8(std::span<const std::byte> data, std::span<float> out) noexcept {
    for (std::size_t block = 0; block < data.size() / kBlockBytes; ++block) {
        const std::byte* at = data.data() + block * kBlockBytes;
        const float scale = half_to_float(load_u16(at));
        for (std::size_t i = 0; i < kBlockValues; ++i) {
            const auto step = static_cast<std::int8_t>(std::to_integer<std::uint8_t>(at[2 + i]));
            out[block * kBlockValues + i] = scale * static_cast<float>(step);
        }
    }
}

}  // namespace

float half_to_float(std::uint16_t half) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
    const std::uint32_t exponent = (half >> 10) & 0x1F;
    const std::uint32_t fraction = half & 0x3FF;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000 | fraction << 13);  // infinity, NaN
    if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float subnormal = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -subnormal : subnormal;
}

float bfloat_to_float(std::uint16_t bfloat) noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bfloat) << 16);
}

bool is_float_type(TensorType type) noexcept {
    return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16 ||
           type == TensorType::kQ8_0;
}

void convert(const Tensor& tensor, std::span<float> out) noexcept {
    const std::byte* data = tensor.data.data();
    switch (tensor.type) {
        case TensorType::kF32: std::memcpy(out.data(), data, tensor.data.size()); break;
        case TensorType::kF16:
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = half_to_float(load_u16(data + 2 * i));
            break;
        case TensorType::kBF16:
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = bfloat_to_float(load_u16(data + 2 * i));
            break;
        case TensorType::kQ8_0: convert_q8(tensor.data, out); break;
        default: break;
    }
}

}  // namespace visavis::gguf
