// AVX-512 (x86-64-v4): vectors of sixteen floats, thirty-two registers.
#define VISAVIS_ISA_NAME avx512
#define VISAVIS_SIMD_FLOATS 16
#define VISAVIS_MAX_ROWS 12
#define VISAVIS_TABLE kAvx512Kernels
#include "engines/cpu/isa/kernels_impl.h"
