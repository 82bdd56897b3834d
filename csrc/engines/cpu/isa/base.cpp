// Any processor: vectors of four floats, such as those of SSE2.
#define VISAVIS_ISA_NAME base
#define VISAVIS_SIMD_FLOATS 4
#define VISAVIS_MAX_ROWS 6
#define VISAVIS_TABLE kBaseKernels
#include "engines/cpu/isa/kernels_impl.h"
