// AVX2 and FMA: vectors of eight floats, sixteen registers.
#define VISAVIS_ISA_NAME avx2
#define VISAVIS_SIMD_FLOATS 8
#define VISAVIS_MAX_ROWS 6
#define VISAVIS_TABLE kAvx2Kernels
#include "engines/cpu/isa/kernels_impl.h"
