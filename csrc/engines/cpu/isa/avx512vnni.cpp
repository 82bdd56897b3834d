// AVX-512 with products of 8-bit integers (Cascade Lake, Ice Lake and later).
#define VISAVIS_ISA_NAME avx512vnni
#define VISAVIS_SIMD_FLOATS 16
#define VISAVIS_MAX_ROWS 12
#define VISAVIS_TABLE kAvx512VnniKernels
#define VISAVIS_HAS_INT8
#include "engines/cpu/isa/kernels_impl.h"
