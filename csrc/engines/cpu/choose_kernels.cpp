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

#endif

struct Candidate {
    const Kernels* kernels;
    bool runs;
};

}  // namespace

const Kernels& choose_kernels() {
#if defined(VISAVIS_X86)
    const std::array candidates{Candidate{&kAvx512Kernels, runs_avx512()}, Candidate{&kAvx2Kernels, runs_avx2()},
                                Candidate{&kBaseKernels, true}};
#else
    const std::array candidates{Candidate{&kBaseKernels, true}};
#endif
    const char* variable = std::getenv("VISAVIS_ISA");
    const std::string_view wanted = variable ? variable : "";
    std::string runnable;
    for (const Candidate& candidate : candidates) {
        if (!candidate.runs) continue;
        if (wanted.empty() || wanted == candidate.kernels->name) return *candidate.kernels;
        runnable += (runnable.empty() ? "" : ", ") + std::string(candidate.kernels->name);
    }
    throw Error(Status::kUnsupported, "VISAVIS_ISA is " + quote(wanted) + "; this processor and build run " + runnable +
                                          " (unset it to take the best)");
}

}  // namespace visavis::cpu
