/* The one header that knows compilers and systems: atomics, thread-local, threads, the clock. */
#ifndef VISAVIS_CLIENT_PLATFORM_H
#define VISAVIS_CLIENT_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define VVI_THREAD_LOCAL __declspec(thread)
#if defined(_M_ARM64)
#define VVI_BARRIER() __dmb(_ARM64_BARRIER_ISH)
#else
#define VVI_BARRIER() _ReadWriteBarrier()
#endif
static __inline uint32_t vvi_load32(const volatile uint32_t* at) {
    const uint32_t value = *at;
    VVI_BARRIER();
    return value;
}
static __inline void vvi_store32(volatile uint32_t* at, uint32_t value) {
    VVI_BARRIER();
    *at = value;
}
static __inline int64_t vvi_load64(const volatile int64_t* at) {
    const int64_t value = *at;
    VVI_BARRIER();
    return value;
}
static __inline void vvi_store64(volatile int64_t* at, int64_t value) {
    VVI_BARRIER();
    *at = value;
}
static __inline uint32_t vvi_exchange32(volatile uint32_t* at, uint32_t value) {
    return (uint32_t)_InterlockedExchange((volatile long*)at, (long)value);
}
static __inline int vvi_swap64(volatile int64_t* at, int64_t expected, int64_t value) {
    return _InterlockedCompareExchange64((volatile __int64*)at, value, expected) == expected;
}
static __inline int64_t vvi_add64(volatile int64_t* at, int64_t value) {
    return _InterlockedExchangeAdd64((volatile __int64*)at, value) + value;
}
#else
#define VVI_THREAD_LOCAL __thread
/* Loads acquire and stores release: data that is read between two loads of a counter needs no fence. */
static inline uint32_t vvi_load32(const uint32_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static inline void vvi_store32(uint32_t* at, uint32_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
static inline int64_t vvi_load64(const int64_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static inline void vvi_store64(int64_t* at, int64_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
static inline uint32_t vvi_exchange32(uint32_t* at, uint32_t value) {
    return __atomic_exchange_n(at, value, __ATOMIC_ACQ_REL);
}
static inline int vvi_swap64(int64_t* at, int64_t expected, int64_t value) {
    return __atomic_compare_exchange_n(at, &expected, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline int64_t vvi_add64(int64_t* at, int64_t value) { return __atomic_add_fetch(at, value, __ATOMIC_ACQ_REL); }
#endif

/* A cache line, and the hint that the one at `at` will be read soon. */
enum { VVI_LINE = 64 };
static inline void vvi_prefetch(const void* at) {
#if defined(__GNUC__)
    __builtin_prefetch(at);
#else
    (void)at;
#endif
}

/* A try-lock: 1 if it is ours now. */
static inline int vvi_try(uint32_t* flag) { return vvi_exchange32(flag, 1) == 0; }
static inline void vvi_leave(uint32_t* flag) { vvi_store32(flag, 0); }

/* Counters that one thread writes and any reads. */
static inline void vvi_count(int64_t* counter, int64_t more) { vvi_add64(counter, more); }

int64_t vvi_monotonic_ns(void);

#ifndef VVC_NO_SOCKETS
typedef struct vvi_thread vvi_thread;
size_t vvi_thread_bytes(void); /* what a vvi_thread takes */
/* Runs body(argument) until it returns; 0: the system gives no thread. */
int vvi_thread_start(vvi_thread* thread, void (*body)(void*), void* argument);
void vvi_thread_join(vvi_thread* thread);
#endif

#endif
