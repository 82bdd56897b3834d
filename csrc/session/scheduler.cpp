#include "session/scheduler.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "error.h"
#include "platform/worker.h"

namespace visavis {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kRetryNs = 5 * kMs;      // after a try that made no turn
constexpr std::int64_t kFailedNs = 1000 * kMs;  // after an engine's error
constexpr std::int64_t kSlowTurnNs = 20 * kMs;  // turns of such engines are not measured more often than needed
constexpr std::int64_t kMeasured = 4;           // turns of the larger step that is measured

std::int64_t wall_ns() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::int64_t get(const std::atomic<std::int64_t>& value) { return value.load(std::memory_order_relaxed); }
void set(std::atomic<std::int64_t>& value, std::int64_t to) { value.store(to, std::memory_order_relaxed); }

std::int64_t remainder(std::int64_t ns, std::int64_t of) { return (ns % of + of) % of; }

}  // namespace

Scheduler::Scheduler(std::shared_ptr<Engine> engine, std::function<std::int64_t()> clock)
    : engine_(std::move(engine)),
      clock_(clock ? std::move(clock) : wall_ns),
      turn_ns_(engine_->info().turn_frames * kFrameNs) {
    measure();
}

// ---- Costs ----

// What a turn takes, alone and with others, before there is a session: of slots that hear silence.
void Scheduler::measure() {
    const ModelInfo& info = engine_->info();
    const auto n_frames = static_cast<std::size_t>(info.turn_frames);
    const std::vector<float> silence(n_frames * kSamplesPerFrame);
    std::vector<std::vector<float>> motions(kMeasured);
    std::vector<TurnInput> inputs;
    std::vector<TurnOutput> outputs(kMeasured);
    struct Slots {
        Engine& engine;
        std::vector<TurnInput>& inputs;
        ~Slots() {
            try {
                for (const TurnInput& input : inputs) engine.close(input.slot);
            } catch (...) {  // a destructor has nobody to tell
            }
        }
    } slots{*engine_, inputs};
    const auto open = [&] {
        std::vector<float>& motion = motions[inputs.size()];
        motion.resize(n_frames * static_cast<std::size_t>(info.n_channels()));
        outputs[inputs.size()].motion = motion;
        TurnInput input;
        input.slot = engine_->open();
        input.agent_audio = input.user_audio = silence;
        inputs.push_back(input);
    };
    open();
    const std::span all(outputs);
    std::int64_t alone_ns = measured(inputs, all.first(1));  // the engine's first turn: its memory is cold
    for (int i = 0; i < 2 && (i == 0 || alone_ns < kSlowTurnNs); ++i) {
        const std::int64_t ns = measured(inputs, all.first(1));
        alone_ns = i == 0 ? ns : std::min(alone_ns, ns);
    }
    std::int64_t together_ns = kMeasured * alone_ns;
    if (alone_ns < kSlowTurnNs) {
        while (inputs.size() < std::size_t{kMeasured}) open();
        for (int i = 0; i < 2; ++i) together_ns = std::min(together_ns, measured(inputs, all));
    }
    const std::int64_t each_ns = std::max<std::int64_t>((together_ns - alone_ns) / (kMeasured - 1), 0);
    set(each_ns_, each_ns);
    set(step_ns_, alone_ns - each_ns);
    set(wait_ns_, alone_ns);
}

std::int64_t Scheduler::measured(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) {
    const std::int64_t began_ns = thread_time_ns();
    engine_->step(inputs, outputs);
    return thread_time_ns() - began_ns;
}

// Of the processor: near the lower end of what steps take.  With waiting for it: the mean of a turn.
void Scheduler::note_cost(std::int64_t n_turns, std::int64_t cost_ns, std::int64_t wait_ns) {
    const std::int64_t known_ns = std::max<std::int64_t>(get(step_ns_) + n_turns * get(each_ns_), 1);
    const std::int64_t more_ns = cost_ns - known_ns;
    const std::int64_t change_ns = more_ns < 0 ? more_ns / 8 : std::min(more_ns, known_ns) / 32;
    const double scale = 1 + static_cast<double>(change_ns) / static_cast<double>(known_ns);
    const auto scaled = [scale](std::int64_t ns) { return static_cast<std::int64_t>(static_cast<double>(ns) * scale); };
    set(step_ns_, scaled(get(step_ns_)));
    set(each_ns_, std::max<std::int64_t>(scaled(get(each_ns_)), 1));
    set(wait_ns_, get(wait_ns_) + (wait_ns / n_turns - get(wait_ns_)) / 16);
}

void Scheduler::charge(std::int64_t ns, std::int64_t n_turns) {
    if (n_turns > 0) set(own_ns_, get(own_ns_) + (ns / n_turns - get(own_ns_)) / 16);
}

double Scheduler::load(int n_sessions) const {
    const auto n = static_cast<std::int64_t>(n_sessions);
    const std::int64_t needed_ns =
        std::min<std::int64_t>(n, kPlaces) * get(step_ns_) + n * (get(each_ns_) + get(own_ns_));
    return static_cast<double>(needed_ns) / static_cast<double>(turn_ns_);
}

std::int64_t Scheduler::turn_cost_ns(int n_sessions) const {
    const int n = std::max(n_sessions, 1);
    return static_cast<std::int64_t>(load(n) * static_cast<double>(turn_ns_)) / n;
}

std::size_t Scheduler::turns_within(std::int64_t ns) const {
    return static_cast<std::size_t>(
        std::max<std::int64_t>((ns - get(step_ns_)) / std::max<std::int64_t>(get(each_ns_), 1), 0));
}

std::string Scheduler::overload(int n_sessions, double most) const {
    if (load(n_sessions) <= most) return {};
    char text[160];
    std::snprintf(text, sizeof text,
                  "%d heads would take %.2f of a processor core (%.2f ms for each turn of %.0f ms); expected at most "
                  "%.2f",
                  n_sessions, load(n_sessions), static_cast<double>(turn_cost_ns(n_sessions)) * 1e-6,
                  static_cast<double>(turn_ns_) * 1e-6, most);
    return text;
}

// ---- Sessions ----

std::int64_t Scheduler::until(int place, std::int64_t now_ns) const {
    return remainder(place * turn_ns_ / kPlaces - now_ns, turn_ns_);
}

// Of the places that fewest sessions have, the one farthest from those that have more; of such, the next to come.
int Scheduler::free_place(std::int64_t now_ns) const {
    std::array<int, kPlaces> taken{};
    for (const Scheduled* seat : members_) ++taken[static_cast<std::size_t>(seat->place)];
    const int fewest = *std::ranges::min_element(taken);
    const auto distance = [&](int place) {
        int far = 0;
        const auto free = [&](int other) {
            return taken[static_cast<std::size_t>(remainder(other, kPlaces))] == fewest;
        };
        while (far < kPlaces && free(place + far) && free(place - far)) ++far;
        return far;
    };
    int best = 0, best_distance = 0;
    for (int place = 0; place < kPlaces; ++place) {
        const int far = distance(place);
        if (far < best_distance || far == 0) continue;
        if (far == best_distance && until(place, now_ns) >= until(best, now_ns)) continue;
        best = place;
        best_distance = far;
    }
    return best;
}

void Scheduler::add(Scheduled& seat, Session& session, std::int64_t now_ns) {
    seat = {};
    seat.session = &session;
    seat.place = free_place(now_ns);
    seat.origin_ns = now_ns + until(seat.place, now_ns) - session.next_due_ns();
    members_.reserve(members_.size() + 1);
    due_.reserve(members_.size() + 1);
    session.tell(now_ns - seat.origin_ns);
    members_.push_back(&seat);
}

void Scheduler::remove(Scheduled& seat) {
    std::erase(members_, &seat);
    seat.session = nullptr;
}

std::int64_t Scheduler::next_due_ns() const {
    std::int64_t first = INT64_MAX;
    for (const Scheduled* seat : members_) first = std::min(first, std::max(seat->due_ns(), seat->not_before_ns));
    return first;
}

// ---- Turns ----

void Scheduler::tell(std::int64_t now_ns) {
    if (now_ns < told_ns_)
        throw Error(Status::kInvalidArgument, "advance: now is " + std::to_string(now_ns) + " ns, before the last " +
                                                  std::to_string(told_ns_) +
                                                  " ns; expected a clock that never goes back");
    told_ns_ = now_ns;
    for (Scheduled* seat : members_) seat->session->tell(now_ns - seat->origin_ns);
}

std::span<Scheduled* const> Scheduler::step(std::int64_t now_ns, std::size_t n_most) {
    due_.clear();
    for (Scheduled* seat : members_)
        if (seat->not_before_ns <= now_ns && seat->due_ns() <= now_ns) due_.push_back(seat);
    std::ranges::sort(due_, {}, &Scheduled::due_ns);
    n_turns_ = 0;
    std::size_t n_asked = 0;
    const std::int64_t began_ns = wall_ns(), used_ns = thread_time_ns();
    for (Scheduled* seat : due_) {
        if (n_turns_ == std::min(n_most, kMostTogether)) break;
        ++n_asked;
        if (begin(*seat, now_ns)) turns_[n_turns_++] = seat;
    }
    if (n_turns_ > 0) {
        make(now_ns);
        note_cost(static_cast<std::int64_t>(n_turns_), thread_time_ns() - used_ns, wall_ns() - began_ns);
    }
    return std::span(due_).first(n_asked);
}

bool Scheduler::begin(Scheduled& seat, std::int64_t now_ns) {
    seat.failure = nullptr;
    seat.not_before_ns = now_ns + kRetryNs;
    try {
        OpenTurn* turn = seat.session->begin_turn(now_ns - seat.origin_ns);
        open_[n_turns_] = turn;
        return turn != nullptr;
    } catch (...) {
        fail(seat, now_ns, std::current_exception());
        return false;
    }
}

// All together; where the engine fails, no session has moved on, and each by itself shows which of them it was.
void Scheduler::make(std::int64_t now_ns) {
    if (make_these(0, n_turns_)) return;
    for (std::size_t i = 0; i < n_turns_; ++i)
        if (n_turns_ == 1 || !make_these(i, 1)) fail(*turns_[i], now_ns, error_);
    error_ = nullptr;
}

bool Scheduler::make_these(std::size_t first, std::size_t n) {
    for (std::size_t i = first; i < first + n; ++i) {
        inputs_[i] = open_[i]->input;
        outputs_[i] = open_[i]->output;
    }
    try {
        engine_->step(std::span(inputs_).subspan(first, n), std::span(outputs_).subspan(first, n));
    } catch (...) {
        error_ = std::current_exception();
        return false;
    }
    for (std::size_t i = first; i < first + n; ++i) {
        open_[i]->output = outputs_[i];
        turns_[i]->not_before_ns = INT64_MIN;
        turns_[i]->session->end_turn();
    }
    return true;
}

void Scheduler::fail(Scheduled& seat, std::int64_t now_ns, std::exception_ptr why) {
    seat.failure = std::move(why);
    seat.not_before_ns = now_ns + kFailedNs;
}

}  // namespace visavis
