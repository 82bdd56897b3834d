// AVX-512 with products of bfloat16 and of 8-bit integers (Zen 4, Cooper Lake, Sapphire Rapids and later).
#define VISAVIS_ISA_NAME avx512bf16
#define VISAVIS_SIMD_FLOATS 16
#define VISAVIS_MAX_ROWS 12
#define VISAVIS_TABLE kAvx512Bf16Kernels
#define VISAVIS_HAS_BF16
#define VISAVIS_HAS_INT8
#include "engines/cpu/isa/kernels_impl.h"
