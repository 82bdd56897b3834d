// Numbers of a message's payload: float32, norm16 and s16, to bytes and back.
#pragma once
#include <cstddef>
#include <span>

#include "wire/frame_codec.h"

namespace visavis::wire {

// Bytes of one value; 0 for dtypes that hold no numbers.
std::size_t value_bytes(Dtype dtype) noexcept;

// `out` has values.size() * value_bytes(dtype) bytes.  Values that are not finite are refused.
Result write_values(Dtype dtype, std::span<const float> values, std::span<const Unit> units,
                    std::span<std::byte> out) noexcept;

bool all_finite(std::span<const std::byte> floats) noexcept;  // of little-endian float32

}  // namespace visavis::wire
