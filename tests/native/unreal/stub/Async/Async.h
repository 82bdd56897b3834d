// Stand-in for tests, see README.md: a thread for each call.
#pragma once

#include <future>

#include "Stub/Types.h"

enum class EAsyncExecution { TaskGraph, Thread, ThreadPool };

template <typename T>
class TFuture {
  public:
    TFuture() = default;
    explicit TFuture(std::future<T> InFuture) : Future(std::move(InFuture)) {}
    bool IsValid() const { return Future.valid(); }
    bool IsReady() const {
        return Future.valid() && Future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }
    void Wait() const { Future.wait(); }
    T Consume() { return Future.get(); }

  private:
    std::future<T> Future;
};

template <typename F>
auto Async(EAsyncExecution, F&& Function) -> TFuture<decltype(Function())> {
    std::packaged_task<decltype(Function())()> Task(std::forward<F>(Function));
    TFuture<decltype(Function())> Future(Task.get_future());
    std::thread(std::move(Task)).detach();
    return Future;
}
