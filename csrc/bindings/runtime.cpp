// _core.Runtime: the sessions of one engine, advanced together.  visavis/runtime.py is its public face.
#include <pybind11/stl.h>

#include <map>

#include "bindings/bindings.h"
#include "bindings/python_engine.h"
#include "error.h"
#include "session/scheduler.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

// A session that lives as long as its seat.
struct Seat : Scheduled {
    std::shared_ptr<Session> held;
    std::int64_t key = 0;
    bool has_news = false;
};

class Runtime {
  public:
    Runtime(std::shared_ptr<Engine> engine, std::function<std::int64_t()> clock)
        : scheduler_(std::move(engine), std::move(clock)) {}

    std::int64_t add(std::shared_ptr<Session> session, std::int64_t key, std::int64_t now_ns) {
        auto seat = std::make_unique<Seat>();
        seat->held = std::move(session);
        seat->key = key;
        scheduler_.add(*seat, *seat->held, now_ns);
        news_.reserve(seats_.size() + 1);
        return seats_.emplace(key, std::move(seat)).first->second->origin_ns;
    }

    void remove(std::int64_t key) {
        scheduler_.remove(seat(key));
        seats_.erase(key);
    }

    // The sessions that may have frames, or a failure.
    std::vector<std::int64_t> advance(std::int64_t now_ns, std::int64_t work_ns) {
        news_.clear();
        scheduler_.advance(now_ns, work_ns, [this](Scheduled& scheduled) {
            auto& seat = static_cast<Seat&>(scheduled);
            if (!std::exchange(seat.has_news, true)) news_.push_back(seat.key);
        });
        for (const std::int64_t key : news_) seat(key).has_news = false;
        return news_;
    }

    void raise_failure(std::int64_t key) {
        if (const std::exception_ptr failure = std::exchange(seat(key).failure, nullptr))
            std::rethrow_exception(failure);
    }

    Scheduler& scheduler() { return scheduler_; }

  private:
    Seat& seat(std::int64_t key) {
        const auto found = seats_.find(key);
        if (found == seats_.end())
            throw Error(Status::kInternal, "runtime: session " + std::to_string(key) + " is none of it");
        return *found->second;
    }

    Scheduler scheduler_;
    std::map<std::int64_t, std::unique_ptr<Seat>> seats_;
    std::vector<std::int64_t> news_;
};

std::unique_ptr<Runtime> make(const py::object& engine, const py::object& clock) {
    auto native = engine_of(engine);
    auto reading = clock_of(clock);
    const py::gil_scoped_release release;
    return std::make_unique<Runtime>(std::move(native), std::move(reading));
}

}  // namespace

void register_runtime(py::module_& module) {
    using Unlocked = py::call_guard<py::gil_scoped_release>;
    py::class_<Runtime>(module, "Runtime", "The sessions of one engine, advanced together; see visavis.Runtime.")
        .def(py::init(&make), py::arg("engine"), py::arg("clock") = py::none())
        .def("add", &Runtime::add, py::arg("session"), py::arg("key"), py::arg("now_ns"), Unlocked(),
             "Starts the session's clock; returns the time at which it shows 0.")
        .def("remove", &Runtime::remove, py::arg("key"), Unlocked())
        .def("advance", &Runtime::advance, py::arg("now_ns"), py::arg("work_ns"), Unlocked(),
             "Keys of the sessions that may have frames, or a failure.")
        .def("next_due_ns", [](Runtime& runtime) { return runtime.scheduler().next_due_ns(); })
        .def("raise_failure", &Runtime::raise_failure, py::arg("key"), "Raises why the session's last turn failed.")
        .def(
            "charge",
            [](Runtime& runtime, std::int64_t ns, std::int64_t turns) { runtime.scheduler().charge(ns, turns); },
            py::arg("ns"), py::arg("turns"))
        .def(
            "load", [](Runtime& runtime, int n) { return runtime.scheduler().load(n); }, py::arg("sessions"),
            "Share of the calling thread's core that so many sessions need.")
        .def(
            "turn_cost_ns", [](Runtime& runtime, int n) { return runtime.scheduler().turn_cost_ns(n); },
            py::arg("sessions"))
        .def(
            "overload", [](Runtime& runtime, int n, double most) { return runtime.scheduler().overload(n, most); },
            py::arg("sessions"), py::arg("most"), "What so many would take, if that is more than the most; else \"\".");
}

}  // namespace visavis::bindings
