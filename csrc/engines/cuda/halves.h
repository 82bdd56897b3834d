// Halves on the host, and matrices packed as the tensor cores take them (Packed in kernels.h).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engines/cuda/kernels.h"

namespace visavis::cuda {

std::uint16_t to_half(Half half, float x);  // nearest, halves to even; an F16 stays finite
float half_value(Half half, std::uint16_t bits);

// A matrix (n, k), row by row.
std::vector<std::uint16_t> pack(Half half, std::span<const float> matrix, int n, int k);
// The same for exact_gemm: (k, n filled up to a multiple of 32).
std::vector<float> pack_exact(std::span<const float> matrix, int n, int k);

}  // namespace visavis::cuda
