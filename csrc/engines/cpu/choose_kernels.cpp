// Chooses the instruction set at run time.
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engines/cpu/kernels.h"
#include "error.h"
#include "text.h"

#if defined(_MSC_VER) && defined(VISAVIS_X86)
#include <intrin.h>
#endif

namespace visavis::cpu {
namespace {

#if defined(VISAVIS_X86) && defined(_MSC_VER)

bool has_bits(unsigned word, unsigned mask) { return (word & mask) == mask; }

// Leaf 1: FMA, OSXSAVE; leaf 7: AVX2, AVX-512 F/DQ/CD/BW/VL; XCR0: the registers that the system saves.
bool runs_avx(unsigned leaf7_mask, unsigned long long saved) {
    int leaf1[4], leaf7[4];
    __cpuid(leaf1, 1);
    __cpuidex(leaf7, 7, 0);
    return has_bits(static_cast<unsigned>(leaf1[2]), 1U << 12 | 1U << 27) &&
           has_bits(static_cast<unsigned>(leaf7[1]), leaf7_mask) && (_xgetbv(0) & saved) == saved;
}
bool runs_avx2() { return runs_avx(1U << 5, 0x6); }
bool runs_avx512() { return runs_avx(1U << 5 | 1U << 16 | 1U << 17 | 1U << 28 | 1U << 30 | 1U << 31, 0xE6); }
#elif defined(VISAVIS_X86)

bool runs_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool runs_avx512() {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}
bool runs_avx512vnni() { return runs_avx512() && __builtin_cpu_supports("avx512vnni"); }
bool runs_avx512bf16() { return runs_avx512vnni() && __builtin_cpu_supports("avx512bf16"); }

#endif

struct Candidate {
    const Kernels* kernels;
    bool runs;
};

bool serves(const Kernels& kernels, Precision precision) {
    if (precision == Precision::kBf16) return kernels.gemm_bf16 != nullptr;
    return precision != Precision::kInt8 || kernels.gemm_int8 != nullptr;
}

// Whether nothing that the table does beyond others would lie idle.
bool suits(const Kernels& kernels, Precision precision) {
    if (precision == Precision::kInt8 || kernels.gemm_int8 == nullptr) return true;
    return precision != Precision::kF32 && kernels.gemm_bf16 != nullptr;
}

std::string lacks(Precision precision, std::string_view wanted) {
    const bool halves = precision == Precision::kBf16;
    const std::string names = halves ? "avx512bf16" : "avx512vnni or avx512bf16";
    return std::string("precision ") + (halves ? "bf16" : "int8") + " needs a processor and a build with " +
           (halves ? "AVX-512-BF16" : "AVX-512-VNNI") +
           (wanted.empty() ? "" : ", and VISAVIS_ISA " + names + " instead of " + quote(wanted)) + "; take auto or f32";
}

// Best first.
auto candidates() {
    return std::array{
#if defined(VISAVIS_INTRINSICS)
        Candidate{&kAvx512Bf16Kernels, runs_avx512bf16()},
        Candidate{&kAvx512VnniKernels, runs_avx512vnni()},
#endif
#if defined(VISAVIS_X86)
        Candidate{&kAvx512Kernels, runs_avx512()},
        Candidate{&kAvx2Kernels, runs_avx2()},
#endif
#if defined(VISAVIS_ARM64)
        Candidate{&kNeonKernels, true},  // a part of the architecture
#endif
        Candidate{&kBaseKernels, true},
    };
}

}  // namespace

const Kernels& choose_kernels(Precision& precision) {
    const char* variable = std::getenv("VISAVIS_ISA");
    const std::string_view wanted = variable ? variable : "";
    std::string runnable;
    for (const Candidate& candidate : candidates()) {
        const Kernels& kernels = *candidate.kernels;
        if (!candidate.runs || !serves(kernels, precision)) continue;
        if (wanted.empty() ? suits(kernels, precision) : wanted == kernels.name) {
            if (precision == Precision::kAuto) precision = kernels.gemm_bf16 ? Precision::kBf16 : Precision::kF32;
            return kernels;
        }
        runnable += (runnable.empty() ? "" : ", ") + std::string(kernels.name);
    }
    if (precision == Precision::kBf16 || precision == Precision::kInt8) {
        throw Error(Status::kUnsupported, lacks(precision, wanted));
    }
    throw Error(Status::kUnsupported, "VISAVIS_ISA is " + quote(wanted) + "; this processor and build run " + runnable +
                                          " (unset it to take the best)");
}

}  // namespace visavis::cpu
