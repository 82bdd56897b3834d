/* Clock and threads of POSIX systems and Windows. */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "client/platform.h"

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

int64_t vvi_monotonic_ns(void) {
    LARGE_INTEGER ticks, a_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&a_second);
    return ticks.QuadPart / a_second.QuadPart * 1000000000 +
           ticks.QuadPart % a_second.QuadPart * 1000000000 / a_second.QuadPart;
}

#ifndef VVC_NO_SOCKETS
#include <process.h>

struct vvi_thread {
    HANDLE handle;
    void (*body)(void*);
    void* argument;
};

static unsigned __stdcall run(void* pointer) {
    vvi_thread* thread = pointer;
    thread->body(thread->argument);
    return 0;
}

int vvi_thread_start(vvi_thread* thread, void (*body)(void*), void* argument) {
    thread->body = body;
    thread->argument = argument;
    thread->handle = (HANDLE)_beginthreadex(NULL, 0, run, thread, 0, NULL);
    return thread->handle != NULL;
}

void vvi_thread_join(vvi_thread* thread) {
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
}
#endif
#else
#include <time.h>

int64_t vvi_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#ifndef VVC_NO_SOCKETS
#include <pthread.h>

struct vvi_thread {
    pthread_t handle;
    void (*body)(void*);
    void* argument;
};

static void* run(void* pointer) {
    vvi_thread* thread = pointer;
    thread->body(thread->argument);
    return NULL;
}

int vvi_thread_start(vvi_thread* thread, void (*body)(void*), void* argument) {
    thread->body = body;
    thread->argument = argument;
    return pthread_create(&thread->handle, NULL, run, thread) == 0;
}

void vvi_thread_join(vvi_thread* thread) { pthread_join(thread->handle, NULL); }
#endif
#endif

#ifndef VVC_NO_SOCKETS
size_t vvi_thread_bytes(void) { return sizeof(vvi_thread); }
#endif
