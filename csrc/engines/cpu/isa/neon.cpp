// NEON (AArch64): vectors of four floats, thirty-two registers, of which GCC 12 would need more for eleven rows.
#define VISAVIS_ISA_NAME neon
#define VISAVIS_SIMD_FLOATS 4
#define VISAVIS_MAX_ROWS 10
#define VISAVIS_TABLE kNeonKernels
#include "engines/cpu/isa/kernels_impl.h"
