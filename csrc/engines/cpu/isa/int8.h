// The integer vectors of the ISA files: four bytes a lane, whose products are added up in 32 bits.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "engines/cpu/isa/simd.h"

namespace visavis::cpu::VISAVIS_ISA_NAME {

VISAVIS_INLINE IntVec load_ints(const std::int32_t* p) {
    IntVec v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
VISAVIS_INLINE IntVec load_quads(const std::int8_t* p) { return reinterpret_cast<IntVec>(_mm512_loadu_si512(p)); }
VISAVIS_INLINE IntVec splat_quad(const std::uint8_t* p) {
    int quad;
    __builtin_memcpy(&quad, p, sizeof quad);
    return reinterpret_cast<IntVec>(_mm512_set1_epi32(quad));
}
// sum + the four products of x (unsigned) and y (signed), lane by lane.
VISAVIS_INLINE IntVec add_quads(IntVec sum, IntVec x, IntVec y) {
    return reinterpret_cast<IntVec>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(x),
                                                        reinterpret_cast<__m512i>(y)));
}
typedef std::uint8_t ByteVec __attribute__((vector_size(kLanes)));

// x, rounded to nearest, + zero, held within 0 to 255; |x| is far below 2^22.
VISAVIS_INLINE void store_bytes(std::uint8_t* p, Vec x, std::int32_t zero) {
    const Vec shifted = x + splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to a whole number
    const IntVec whole = reinterpret_cast<IntVec>(shifted) - 0x4B400000 + zero;
    const IntVec least = whole < 0 ? IntVec{} : whole;
    const ByteVec bytes = __builtin_convertvector(least > 255 ? IntVec{} + 255 : least, ByteVec);
    __builtin_memcpy(p, &bytes, sizeof bytes);
}

}  // namespace visavis::cpu::VISAVIS_ISA_NAME
