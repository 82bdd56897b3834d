// Many sessions of one engine on one clock: whose turns are made now, which of them in one step of the engine, and what
// another session would cost.
//
// A session's turns come due at one of 16 places in the length of a turn.  The places are taken evenly, so that the
// load is flat; what shares a place shares a step, so that the engine reads each matrix once for all of its turns and
// its threads have something to share.  What a hold-up makes due together shares steps, too. Thread rule: one caller at
// a time, who alone uses the sessions meanwhile; load and costs may be read by any thread. After `add`, nothing here
// takes memory.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "session/session.h"

namespace visavis {

inline constexpr int kPlaces = 16;
inline constexpr std::size_t kMostTogether = 16;  // turns in a step: more would keep the first of them waiting

// A session with a scheduler; belongs to the caller, who removes it before the session ends.
struct Scheduled {
    Session* session = nullptr;
    std::int64_t origin_ns = 0;              // scheduler's clock when the session clock shows 0
    std::int64_t not_before_ns = INT64_MIN;  // no turn before: the last try made none
    int place = 0;                           // of kPlaces
    std::exception_ptr failure;              // of the last try
    std::int64_t due_ns() const { return origin_ns + session->next_due_ns(); }
};

class Scheduler {
  public:
    // Measures the engine with a few turns.  clock: monotonic nanoseconds, by which `advance` sees how long its work
    // takes; none: the system's.
    Scheduler(std::shared_ptr<Engine> engine, std::function<std::int64_t()> clock);

    // The session's clock starts, at the place that leaves most room: its first turn is due within a turn from now.
    void add(Scheduled& seat, Session& session, std::int64_t now_ns);
    void remove(Scheduled& seat);
    std::span<Scheduled* const> members() const { return members_; }
    std::int64_t next_due_ns() const;  // INT64_MAX: there is no session

    // One step of the engine: the turns that are due, the most urgent first, n_most at most (up to kMostTogether).
    // Returns the sessions that were asked for a turn: they may have frames, or a failure; none were due if it is
    // empty. An engine's error is the failure of the session that caused it alone; it is tried again a second later.
    std::span<Scheduled* const> step(std::int64_t now_ns, std::size_t n_most);
    // Tells every session the time, and makes the turns that are due; no step begins after work_ns of work, so that
    // frames can be polled.  `told(seat)` is called behind each step for each session that was asked for a turn.
    template <class Told>
    void advance(std::int64_t now_ns, std::int64_t work_ns, const Told& told) {
        tell(now_ns);
        const std::int64_t began_ns = clock_();
        for (std::int64_t spent_ns = 0; spent_ns < work_ns; spent_ns = clock_() - began_ns) {
            const auto asked = step(now_ns + spent_ns, kMostTogether);
            if (asked.empty()) return;
            for (Scheduled* seat : asked) told(*seat);
        }
    }

    // Processor time that the caller's own work for a turn takes (such as publishing its frames): counts as load.
    void charge(std::int64_t ns, std::int64_t n_turns);
    // Share of the calling thread's core that so many sessions need, and of a turn's processor time.
    double load(int n_sessions) const;
    std::int64_t turn_cost_ns(int n_sessions) const;
    std::size_t turns_within(std::int64_t ns) const;        // that one step makes in that time
    std::int64_t turn_wait_ns() const { return wait_ns_; }  // of a turn, with waiting for the processor
    // "101 heads would take 0.81 of ..., expected at most 0.80": empty where so many are no more than that.
    std::string overload(int n_sessions, double most) const;

  private:
    void measure();
    std::int64_t measured(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs);
    int free_place(std::int64_t now_ns) const;
    std::int64_t until(int place, std::int64_t now_ns) const;
    void tell(std::int64_t now_ns);
    bool begin(Scheduled& seat, std::int64_t now_ns);
    void make(std::int64_t now_ns);
    bool make_these(std::size_t first, std::size_t n);  // false: the engine failed, and why is in error_
    void fail(Scheduled& seat, std::int64_t now_ns, std::exception_ptr why);
    void note_cost(std::int64_t n_turns, std::int64_t cost_ns, std::int64_t wait_ns);

    std::shared_ptr<Engine> engine_;
    std::function<std::int64_t()> clock_;
    std::int64_t turn_ns_;
    std::int64_t told_ns_ = INT64_MIN;
    std::vector<Scheduled*> members_, due_;
    // of the step at hand:
    std::size_t n_turns_ = 0;
    std::array<Scheduled*, kMostTogether> turns_{};
    std::array<OpenTurn*, kMostTogether> open_{};
    std::array<TurnInput, kMostTogether> inputs_;
    std::array<TurnOutput, kMostTogether> outputs_;
    std::exception_ptr error_;
    // Processor time of a step of n turns: step_ns_ + n * each_ns_.
    std::atomic<std::int64_t> step_ns_{0}, each_ns_{0}, own_ns_{0}, wait_ns_{0};
};

}  // namespace visavis
