// The bfloat16 vectors of the ISA files: pairs of values whose products are added up in float32.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "engines/cpu/isa/simd.h"

namespace visavis::cpu::VISAVIS_ISA_NAME {

typedef __m512bh Pairs;

VISAVIS_INLINE Pairs load_pairs(const std::uint16_t* p) { return reinterpret_cast<Pairs>(_mm512_loadu_si512(p)); }
VISAVIS_INLINE Pairs splat_pair(const std::uint16_t* p) {
    int pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return reinterpret_cast<Pairs>(_mm512_set1_epi32(pair));
}
// sum + x[0] * y[0] + x[1] * y[1], lane by lane.
VISAVIS_INLINE Vec add_products(Vec sum, Pairs x, Pairs y) {
    return reinterpret_cast<Vec>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), x, y));
}
VISAVIS_INLINE void store_bf16(std::uint16_t* p, Vec x) {
    const __m256bh narrow = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(x));
    __builtin_memcpy(p, &narrow, sizeof narrow);
}

}  // namespace visavis::cpu::VISAVIS_ISA_NAME
