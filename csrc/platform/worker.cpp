#include "platform/worker.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <chrono>
#else
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#endif

namespace visavis {

#if defined(_WIN32)

void lower_priority() noexcept { SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL); }

std::int64_t thread_time_ns() noexcept {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A timer of high resolution (Windows 10 1803); without it naps last until the next tick of the system, 16 ms at most.
Nap::Nap() noexcept {
    constexpr DWORD kHighResolution = 0x2;
    timer_ = CreateWaitableTimerExW(nullptr, nullptr, kHighResolution, TIMER_ALL_ACCESS);
    if (!timer_) timer_ = CreateWaitableTimerExW(nullptr, nullptr, 0, TIMER_ALL_ACCESS);
}

Nap::~Nap() {
    if (timer_) CloseHandle(timer_);
}

void Nap::sleep(std::int64_t ns) noexcept {
    LARGE_INTEGER due;
    due.QuadPart = -(ns + 99) / 100;  // in steps of 100 ns from now
    if (timer_ && SetWaitableTimer(timer_, &due, 0, nullptr, nullptr, FALSE)) {
        WaitForSingleObject(timer_, INFINITE);
    } else {
        Sleep(static_cast<DWORD>((ns + 999'999) / 1'000'000));
    }
}

#else

void lower_priority() noexcept {
#if defined(__APPLE__)
    pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#elif defined(__linux__)
    const sched_param none{};
    sched_setscheduler(0, SCHED_BATCH, &none);  // 0: this thread
    constexpr int kNice = 5;                    // a third of the share of a thread that is not nice
    const long thread = syscall(SYS_gettid);
    setpriority(PRIO_PROCESS, static_cast<id_t>(thread), kNice);
#endif
}

std::int64_t thread_time_ns() noexcept {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Nap::Nap() noexcept = default;
Nap::~Nap() = default;

void Nap::sleep(std::int64_t ns) noexcept {
    const timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
    nanosleep(&time, nullptr);
}

#endif

}  // namespace visavis
