// Conversion of payload values; formulas as in docs/protocol.md section 3, in double precision.
#include "wire/payload.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace visavis::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "payloads are copied as they are");

constexpr double kPi = 3.141592653589793;

template <class T>
T load(const std::byte* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

double rounded(double value) noexcept { return std::floor(value + 0.5); }

std::uint16_t quantised(Dtype dtype, Unit unit, double value) noexcept {
    if (dtype == Dtype::kS16) {
        return static_cast<std::uint16_t>(
            static_cast<std::int16_t>(rounded(std::clamp(value * 32768, -32768.0, 32767.0))));
    }
    if (unit == Unit::kWeight) return static_cast<std::uint16_t>(rounded(std::clamp(value, 0.0, 1.0) * 65535));
    return static_cast<std::uint16_t>(static_cast<std::int16_t>(rounded(std::clamp(value / kPi, -1.0, 1.0) * 32767)));
}

float restored(Dtype dtype, Unit unit, std::uint16_t bits) noexcept {
    const auto level = static_cast<std::int16_t>(bits);
    if (dtype == Dtype::kS16) return static_cast<float>(level / 32768.0);
    if (unit == Unit::kWeight) return static_cast<float>(bits / 65535.0);
    return static_cast<float>(std::max(level / 32767.0, -1.0) * kPi);
}

Unit unit_of(Dtype dtype, std::span<const Unit> units, std::size_t index) noexcept {
    return dtype == Dtype::kNorm16 ? units[index] : Unit::kWeight;
}

}  // namespace

std::size_t value_bytes(Dtype dtype) noexcept {
    switch (dtype) {
        case Dtype::kF32: return 4;
        case Dtype::kNorm16:
        case Dtype::kS16: return 2;
        default: return 0;
    }
}

bool all_finite(std::span<const std::byte> floats) noexcept {
    for (std::size_t i = 0; i + 4 <= floats.size(); i += 4) {
        if (!std::isfinite(load<float>(floats.data() + i))) return false;
    }
    return true;
}

Result write_values(Dtype dtype, std::span<const float> values, std::span<const Unit> units,
                    std::span<std::byte> out) noexcept {
    if (dtype == Dtype::kNorm16 && units.size() != values.size()) return Result::kUnits;
    const bool finite = std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
    if (!finite) return Result::kNotFinite;
    if (dtype == Dtype::kF32) {
        if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
        return Result::kOk;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t bits = quantised(dtype, unit_of(dtype, units, i), values[i]);
        std::memcpy(out.data() + 2 * i, &bits, sizeof bits);
    }
    return Result::kOk;
}

Result read_values(const Message& message, std::span<const Unit> units, std::span<float> out) noexcept {
    const Dtype dtype = message.header.dtype;
    const std::size_t n_values = message.n_values();
    if (out.size() < n_values) return Result::kRoom;
    if (dtype == Dtype::kNorm16 && units.size() != n_values) return Result::kUnits;
    const std::byte* data = message.payload.data();
    if (dtype == Dtype::kF32) {
        if (n_values != 0) std::memcpy(out.data(), data, n_values * 4);
        return Result::kOk;
    }
    for (std::size_t i = 0; i < n_values; ++i) {
        out[i] = restored(dtype, unit_of(dtype, units, i), load<std::uint16_t>(data + 2 * i));
    }
    return Result::kOk;
}

}  // namespace visavis::wire
