// The arithmetic of the CPU engine: one table of functions per instruction set, chosen once at load.
//
// The same source (isa/kernels_impl.h) is compiled for each instruction set, so every table computes the same up to
// rounding.  The result for a row depends on nothing but that row: not on how many rows there are beside it.
// This header is also read by the ISA files, where no inline function of the standard library may be instantiated
// (the linker could pick the copy that needs AVX-512): keep it free of everything but plain types.
#pragma once
#include <cstddef>

namespace visavis::cpu {

// C = A W^T + bias, or C += that.  W (n, k) is packed in panels of Kernels::panel columns: see matrix.h.
struct GemmArgs {
    const float* a = nullptr;  // (m, k)
    std::ptrdiff_t a_stride = 0;
    const float* panels = nullptr;
    std::ptrdiff_t panel_stride = 0;  // floats from one panel to the next
    const float* bias = nullptr;      // n values, padded to whole panels; null: zeros
    float* c = nullptr;               // (m, n)
    std::ptrdiff_t c_stride = 0;
    int m = 0;
    int n = 0;
    int k = 0;
    bool accumulate = false;
};

struct Kernels {
    const char* name;  // as VISAVIS_ISA spells it
    int panel;         // columns of a packed panel
    void (*gemm)(const GemmArgs& args);
    void (*gelu)(float* x, int n);  // exact (erf), in place, error below 1e-6
    void (*silu)(float* out, const float* x, int n);
    // (x - mean) / sqrt(variance + 1e-6) * gain + bias; gain and bias may be null.
    void (*layer_norm)(float* out, const float* x, const float* gain, const float* bias, int n);
    // softmax(scale * row + bias) in place.
    void (*softmax)(float* row, const float* bias, float scale, int n);
};

extern const Kernels kBaseKernels;
#if defined(VISAVIS_X86)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

// The best table of this processor, or the one that the environment variable VISAVIS_ISA names (base, avx2, avx512).
// Throws Error(kUnsupported) for a name that is unknown or that this processor does not run.
const Kernels& choose_kernels();

}  // namespace visavis::cpu
