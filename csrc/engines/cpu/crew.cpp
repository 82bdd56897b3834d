#include "engines/cpu/crew.h"

#include <utility>

#include "platform/relax.h"

namespace visavis::cpu {
namespace {

constexpr int kSpins = 1000;  // some 20 to 40 microseconds: what one thread does alone between two rounds is shorter
constexpr int kTaskBits = 20;
constexpr std::uint64_t kTaskMask = (std::uint64_t{1} << kTaskBits) - 1;

int next_task(std::uint64_t ticket) { return static_cast<int>(ticket & kTaskMask); }
int n_tasks_of(std::uint64_t ticket) { return static_cast<int>(ticket >> kTaskBits & kTaskMask); }
std::uint64_t new_round(std::uint64_t ticket, int n_tasks) {
    return ((ticket >> 2 * kTaskBits) + 1) << 2 * kTaskBits | static_cast<std::uint64_t>(n_tasks) << kTaskBits;
}

// Waits until the value is another than `old`.
template <class T>
void wait_for_change(const std::atomic<T>& value, T old) {
    for (int i = 0; i < kSpins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        relax();
    }
    value.wait(old, std::memory_order_acquire);
}

}  // namespace

Crew::Crew(int n_threads) {
    for (int member = 1; member < n_threads; ++member) threads_.emplace_back([this, member] { live(member); });
}

Crew::~Crew() {
    ends_.store(true);
    ticket_.store(new_round(ticket_.load(), 0));
    ticket_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void Crew::live(int member) {
    std::uint64_t seen = 0;
    while (!ends_.load()) {
        work_off(member);
        seen = ticket_.load(std::memory_order_acquire);
        if (next_task(seen) >= n_tasks_of(seen) && !ends_.load()) wait_for_change(ticket_, seen);
    }
}

void Crew::work_off(int member) {
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    while (next_task(ticket) < n_tasks_of(ticket)) {
        if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
        do_task(member, next_task(ticket));
        const std::uint32_t done = n_done_.fetch_add(1, std::memory_order_acq_rel) + 1;
        if (done == static_cast<std::uint32_t>(n_tasks_of(ticket))) n_done_.notify_one();
        ticket = ticket_.load(std::memory_order_acquire);
    }
}

void Crew::do_task(int member, int task) {
    try {
        call_.function(call_.object, member, task);
    } catch (...) {
        if (!failed_.exchange(true)) error_ = std::current_exception();
    }
}

void Crew::run(const Call& call, int n_tasks) {
    call_ = call;  // whoever takes a task has seen the ticket that comes after it
    n_done_.store(0, std::memory_order_relaxed);
    ticket_.store(new_round(ticket_.load(std::memory_order_relaxed), n_tasks), std::memory_order_release);
    if (n_tasks > 1 && !threads_.empty()) ticket_.notify_all();
    work_off(0);
    std::uint32_t done = n_done_.load(std::memory_order_acquire);
    while (done != static_cast<std::uint32_t>(n_tasks)) {
        wait_for_change(n_done_, done);
        done = n_done_.load(std::memory_order_acquire);
    }
    if (failed_.exchange(false)) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace visavis::cpu
