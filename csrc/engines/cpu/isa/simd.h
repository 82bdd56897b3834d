// The portability header of the ISA files: a vector of VISAVIS_SIMD_FLOATS floats, with GCC's vector extensions where
// the compiler has them (GCC, Clang) and as a plain array elsewhere.  The only place with compiler-specific constructs.
// Everything lives in a namespace per instruction set, so that the linker never mixes two of them.
#pragma once

#if defined(__GNUC__) && !defined(VISAVIS_PLAIN_SIMD)
#define VISAVIS_VECTOR_EXTENSION 1
#else
#include <math.h>
#endif
#if defined(__clang__)
#define VISAVIS_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define VISAVIS_UNROLL _Pragma("GCC unroll 16")
#else
#define VISAVIS_UNROLL
#endif
#if defined(__GNUC__)
#define VISAVIS_INLINE static inline __attribute__((always_inline))
#define VISAVIS_NOINLINE static __attribute__((noinline))
#else
#define VISAVIS_INLINE static inline
#define VISAVIS_NOINLINE static
#endif

namespace visavis::cpu::VISAVIS_ISA_NAME {

constexpr int kLanes = VISAVIS_SIMD_FLOATS;

#if defined(VISAVIS_VECTOR_EXTENSION)

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int IntVec __attribute__((vector_size(kLanes * 4)));

VISAVIS_INLINE Vec load(const float* p) {
    Vec v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
VISAVIS_INLINE void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }
VISAVIS_INLINE Vec splat(float x) { return x - Vec{}; }  // x - 0, unlike x + 0, keeps -0
VISAVIS_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
VISAVIS_INLINE Vec min(Vec a, Vec b) { return a < b ? a : b; }
// 2^n for the whole number n that `shifted` = n + 1.5 * 2^23 holds in its low bits, -126 <= n <= 127.
VISAVIS_INLINE Vec power_of_two(Vec shifted) {
    const IntVec exponent = (reinterpret_cast<IntVec>(shifted) - 0x4B400000 + 127) << 23;
    return reinterpret_cast<Vec>(exponent);
}
VISAVIS_INLINE float root(float x) { return __builtin_sqrtf(x); }
VISAVIS_INLINE void fetch(const char* p) { __builtin_prefetch(p, 0, 2); }  // into the second-level cache
// x as it is: a product that the compiler shall not fuse with the sum that follows, where bytes are to stay the same.
VISAVIS_INLINE Vec rounded(Vec x) {
#if defined(__AVX512F__)
    __asm__("" : "+v"(x));
#elif defined(__SSE__)
    __asm__("" : "+x"(x));
#elif defined(__ARM_NEON)
    __asm__("" : "+w"(x));
#endif
    return x;
}

#else

struct Vec {
    float lane[kLanes];
};
union Bits {
    float number;
    int word;
};
#define VISAVIS_LANES(expression)                              \
    Vec out;                                                   \
    for (int i = 0; i < kLanes; ++i) out.lane[i] = expression; \
    return out

VISAVIS_INLINE Vec load(const float* p) { VISAVIS_LANES(p[i]); }
VISAVIS_INLINE void store(float* p, Vec v) {
    for (int i = 0; i < kLanes; ++i) p[i] = v.lane[i];
}
VISAVIS_INLINE Vec splat(float x) { VISAVIS_LANES(x); }
VISAVIS_INLINE Vec operator+(Vec a, Vec b) { VISAVIS_LANES(a.lane[i] + b.lane[i]); }
VISAVIS_INLINE Vec operator-(Vec a, Vec b) { VISAVIS_LANES(a.lane[i] - b.lane[i]); }
VISAVIS_INLINE Vec operator*(Vec a, Vec b) { VISAVIS_LANES(a.lane[i] * b.lane[i]); }
VISAVIS_INLINE Vec operator/(Vec a, Vec b) { VISAVIS_LANES(a.lane[i] / b.lane[i]); }
VISAVIS_INLINE Vec max(Vec a, Vec b) { VISAVIS_LANES(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]); }
VISAVIS_INLINE Vec min(Vec a, Vec b) { VISAVIS_LANES(a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]); }
VISAVIS_INLINE float power_of_two(float shifted) {
    Bits bits;
    bits.number = shifted;
    bits.word = (bits.word - 0x4B400000 + 127) << 23;
    return bits.number;
}
VISAVIS_INLINE Vec power_of_two(Vec shifted) { VISAVIS_LANES(power_of_two(shifted.lane[i])); }
VISAVIS_INLINE float root(float x) { return sqrtf(x); }
VISAVIS_INLINE void fetch(const char*) {}
VISAVIS_INLINE Vec rounded(Vec x) { return x; }
#undef VISAVIS_LANES

#endif

VISAVIS_INLINE Vec zeros() { return splat(0.0F); }

VISAVIS_INLINE float lane_sum(Vec v) {
    float lanes[kLanes];
    store(lanes, v);
    for (int half = kLanes / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0];
}

VISAVIS_INLINE float lane_max(Vec v) {
    float lanes[kLanes];
    store(lanes, v);
    float most = lanes[0];
    for (int i = 1; i < kLanes; ++i) most = lanes[i] > most ? lanes[i] : most;
    return most;
}

// The first n < kLanes floats, the rest `fill`.
VISAVIS_INLINE Vec load_part(const float* p, int n, float fill) {
    float lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = i < n ? p[i] : fill;
    return load(lanes);
}
VISAVIS_INLINE void store_part(float* p, Vec v, int n) {
    float lanes[kLanes];
    store(lanes, v);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
}

}  // namespace visavis::cpu::VISAVIS_ISA_NAME
