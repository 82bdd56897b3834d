// The kernels as a compiler without vector extensions sees them: plain arrays instead of vectors.
#define VISAVIS_PLAIN_SIMD
#define VISAVIS_ISA_NAME plain
#define VISAVIS_SIMD_FLOATS 8
#define VISAVIS_MAX_ROWS 6
#define VISAVIS_TABLE kPlainKernels
#include "plain_kernels.h"

#include "engines/cpu/isa/kernels_impl.h"
