// Numbers of a tensor as float32, whatever type the file stores.
#pragma once
#include <cstdint>
#include <span>

#include "model_file/gguf.h"

namespace visavis::gguf {

float half_to_float(std::uint16_t half) noexcept;      // IEEE binary16, exact
float bfloat_to_float(std::uint16_t bfloat) noexcept;  // the upper half of a float32

bool is_float_type(TensorType type) noexcept;  // F32, F16, BF16 and Q8_0: what convert takes

// Writes tensor.n_values floats, in the file's order.  The tensor's type must be a float type, the span that long.
void convert(const Tensor& tensor, std::span<float> out) noexcept;

}  // namespace visavis::gguf
