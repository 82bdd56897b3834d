// The threads that share an engine's work: the caller's and n - 1 of the crew's own.
//
// Work is handed out task by task from one atomic counter, so that a thread that the system holds up delays nobody but
// the task it has.  Between rounds threads spin for some tens of microseconds, then sleep; none is pinned to a core.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace visavis::cpu {

class Crew {
  public:
    explicit Crew(int n_threads);
    ~Crew();
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    int size() const { return static_cast<int>(threads_.size()) + 1; }
    // work(member, task) for the tasks 0 .. n-1, member 0 being the caller; returns when all are done and throws what
    // the first of them to fail threw.  Not from within a task.
    template <class Work>
    void run(int n_tasks, const Work& work) {
        run({&work,
             [](const void* object, int member, int task) { (*static_cast<const Work*>(object))(member, task); }},
            n_tasks);
    }

  private:
    struct Call {
        const void* object = nullptr;
        void (*function)(const void* object, int member, int task) = nullptr;
    };
    void run(const Call& call, int n_tasks);
    void live(int member);
    void work_off(int member);
    void do_task(int member, int task);

    Call call_;
    // Round, number of tasks and next task in one word: whoever takes a task knows that its round is still on.
    std::atomic<std::uint64_t> ticket_{0};
    std::atomic<std::uint32_t> n_done_{0};
    std::atomic<bool> failed_{false}, ends_{false};
    std::exception_ptr error_;
    std::vector<std::thread> threads_;
};

}  // namespace visavis::cpu
