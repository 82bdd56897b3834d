// What a thread does between two looks at a value that another one is about to change.
#pragma once
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace visavis {

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ volatile("yield");
#endif
}

}  // namespace visavis
