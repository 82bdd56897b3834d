// The arithmetic of the CPU engine: one table of functions per instruction set, chosen once at load.
//
// The same source (isa/kernels_impl.h) is compiled for each instruction set, so every table computes the same up to
// rounding.  The result for a row depends on nothing but that row: not on how many rows there are beside it.
// This header is also read by the ISA files, where no inline function of the standard library may be instantiated
// (the linker could pick the copy that needs AVX-512): keep it free of everything but plain types.
#pragma once
#include <cstddef>
#include <cstdint>

namespace visavis::cpu {

enum class Activation { kNone, kRelu, kGelu, kSilu };

// What becomes of a product before it is stored: c = [c +] [gate *] activation(product + bias).
struct Epilogue {
    Activation activation = Activation::kNone;
    const float* gate = nullptr;  // (m, n); null: none
    std::ptrdiff_t gate_stride = 0;
    bool accumulate = false;
};

// What the rows are made of that a matrix of such weights multiplies.
template <class Weight>
struct InputsOf {
    using Value = Weight;
};
template <>
struct InputsOf<std::int8_t> {
    using Value = std::uint8_t;
};

// How a row was turned into bytes: x = scale * (byte - zero).
struct ByteScale {
    float scale;
    std::int32_t zero;  // 0 to 255
};

// C = A W^T + bias, and then the epilogue.  W (n, k) is packed in panels of Kernels::panel columns: see matrix.h.
// Weight: what W is made of, float, bfloat16 or 8-bit integers; sums are floats, those of integers exact until they are
// scaled.  Strides count values.
template <class Weight>
struct GemmArgs {
    const typename InputsOf<Weight>::Value* a = nullptr;  // (m, k), and 0 up to whole groups of inputs (matrix.h)
    std::ptrdiff_t a_stride = 0;
    const Weight* panels = nullptr;
    std::ptrdiff_t panel_stride = 0;  // from one panel to the next
    const float* bias = nullptr;      // n values, padded to whole panels; null: zeros
    // Of integers alone: of the rows (m); of the outputs (n), padded like the bias.
    const ByteScale* a_scales = nullptr;
    const float* scales = nullptr;
    const std::int32_t* sums = nullptr;  // of each output's weights
    float* c = nullptr;                  // (m, n)
    std::ptrdiff_t c_stride = 0;
    int m = 0;
    int n = 0;
    int k = 0;
    Epilogue epilogue;
};

struct Kernels {
    const char* name;  // as VISAVIS_ISA spells it
    int panel;         // columns of a packed panel
    void (*gemm)(const GemmArgs<float>& args);
    // Both null where the processor has no bfloat16 arithmetic.
    void (*gemm_bf16)(const GemmArgs<std::uint16_t>& args);
    void (*to_bf16)(std::uint16_t* out, const float* x, int n);  // nearest, halves to even; n odd: one 0 more
    // Both null where it has no products of 8-bit integers.
    void (*gemm_int8)(const GemmArgs<std::int8_t>& args);
    ByteScale (*to_bytes)(std::uint8_t* out, const float* x, int n);  // nearest; 0 up to a multiple of 4
    void (*gelu)(float* x, int n);                                    // exact (erf), in place, error below 1e-6
    void (*silu)(float* out, const float* x, int n);
    // (x - mean) / sqrt(variance + eps) * gain + bias; gain and bias may be null.
    void (*layer_norm)(float* out, const float* x, const float* gain, const float* bias, float eps, int n);
    // softmax(scale * row + bias) in place.
    void (*softmax)(float* row, const float* bias, float scale, int n);
};

extern const Kernels kBaseKernels;
#if defined(VISAVIS_X86)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#if defined(VISAVIS_INTRINSICS)
extern const Kernels kAvx512VnniKernels;
extern const Kernels kAvx512Bf16Kernels;
#endif
#endif
#if defined(VISAVIS_ARM64)
extern const Kernels kNeonKernels;
#endif

// What the large products are computed in.
enum class Precision { kAuto, kF32, kBf16, kInt8 };  // auto: bf16 where the processor has it, else f32

// The best table of this processor for that precision, or the one that the environment variable VISAVIS_ISA names
// (base, neon, avx2, avx512, avx512vnni, avx512bf16).  Auto becomes what that table gives: f32 or bf16.
// Throws Error(kUnsupported) for a name that is unknown, that this processor does not run or that lacks the precision.
const Kernels& choose_kernels(Precision& precision);

}  // namespace visavis::cpu
