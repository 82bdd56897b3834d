// A scheduler in virtual time.  Turns that were made together are those of sessions that advance one by one, to the
// byte; the load of any number of heads is flat; an engine's error is one head's alone; what turns take is measured,
// and nothing of it takes memory.  usage: scheduler_test MODEL.gguf     prints "ok", or what went wrong and returns 1.
#include "session/scheduler.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <new>
#include <set>

#include "engines/cpu/cpu_engine.h"
#include "error.h"
#include "platform/worker.h"

namespace {

std::atomic<long> n_allocations{0};

void* count(std::size_t size, std::size_t alignment) {
    ++n_allocations;
    if (void* memory = std::aligned_alloc(alignment, (size + alignment) / alignment * alignment)) return memory;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return count(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return count(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace visavis {
namespace {

#define EXPECT(holds)                                                \
    do {                                                             \
        if (!(holds)) {                                              \
            std::fprintf(stderr, "line %d: %s\n", __LINE__, #holds); \
            std::exit(1);                                            \
        }                                                            \
    } while (false)

constexpr std::int64_t kMs = 1'000'000, kTurnNs = 200 * kMs;
std::int64_t virtual_ns = 7'777 * kMs;
std::int64_t virtual_clock() { return virtual_ns; }

// Answers at once, or burns processor time; fails for the slots it is told to.
class ToyEngine : public Engine {
  public:
    explicit ToyEngine(const ModelInfo& info) : info_(info) {}
    const ModelInfo& info() const override { return info_; }
    int open() override {
        int slot = 0;
        while (slots.contains(slot)) ++slot;
        slots.insert(slot);
        return slot;
    }
    void close(int slot) override { slots.erase(slot); }
    void reset(int) override {}
    void step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) override {
        for (const TurnInput& input : inputs)
            if (failing.contains(input.slot)) throw Error(Status::kInternal, "out of order");
        const std::int64_t until_ns = thread_time_ns() + step_ns + std::ssize(inputs) * each_ns;
        while (step_ns + each_ns > 0 && thread_time_ns() < until_ns) {
        }
        most = std::max(most, inputs.size());
        n_turns += inputs.size();
        for (TurnOutput& output : outputs) std::ranges::fill(output.motion, 0.1F);
    }

    std::set<int> slots, failing;
    std::int64_t step_ns = 0, each_ns = 0;
    std::size_t most = 0, n_turns = 0;

  private:
    ModelInfo info_;
};

struct Head : Scheduled {
    Head(const std::shared_ptr<Engine>& engine, std::uint64_t seed, LatePolicy late = LatePolicy::kHold)
        : made(std::make_unique<Session>(engine, config(seed, late))) {}
    static SessionConfig config(std::uint64_t seed, LatePolicy late) {
        SessionConfig config;
        config.seed = seed;
        config.late = late;
        config.clock = virtual_clock;
        return config;
    }
    std::unique_ptr<Session> made;
};

void add(Scheduler& scheduler, Head& head) { scheduler.add(head, *head.made, virtual_ns); }

void poll(Session& session, std::vector<float>& all) {
    std::array<float, 55> values;
    for (Frame frame; session.poll({&frame, 1}, values) == 1;) {
        all.push_back(static_cast<float>(frame.index) + static_cast<float>(frame.state) / 16);
        all.insert(all.end(), values.begin(), values.end());
    }
}

// Twenty heads, all policies, voices, an interruption, hold-ups after which everything is due: the same sessions told
// one by one when the scheduler asks them give the same frames.
void together_is_one_by_one(const ModelFile& file, int threads) {
    CpuEngineOptions options;
    options.threads = threads;
    const auto engine = std::make_shared<CpuEngine>(file, options), other = std::make_shared<CpuEngine>(file);
    Scheduler scheduler(engine, virtual_clock);
    std::list<Head> heads, alone;
    for (std::uint64_t i = 0; i < 20; ++i) {
        add(scheduler, heads.emplace_back(engine, i, static_cast<LatePolicy>(i % 3)));
        alone.emplace_back(other, i, static_cast<LatePolicy>(i % 3));
        alone.back().made->tell(virtual_ns - heads.back().origin_ns);
    }
    std::vector<float> voice(160), found, expected;
    for (std::size_t i = 0; i < voice.size(); ++i) voice[i] = static_cast<float>(i % 80) / 400 - 0.1F;
    std::size_t most = 0, n_asked = 0;
    for (int tick = 0; tick < 300; ++tick) {
        virtual_ns += (tick % 100 == 77 ? 700 : 10) * kMs;
        auto single = alone.begin();
        for (Head& head : heads) {
            for (Session* session : {head.made.get(), single->made.get()}) {
                session->tell(virtual_ns - head.origin_ns);
                session->push_user_audio(voice, 16000, virtual_ns - head.origin_ns);
                if (head.place % 2) session->push_agent_audio(voice, 16000);
                if (tick == 120) session->cancel(virtual_ns - head.origin_ns);
            }
            ++single;
        }
        for (;;) {
            const auto asked = scheduler.step(virtual_ns, kMostTogether);
            if (asked.empty()) break;
            most = std::max(most, asked.size());
            for (Scheduled* seat : asked) {
                const auto position = std::ranges::find_if(heads, [seat](const Head& head) { return &head == seat; });
                Session& session = *std::next(alone.begin(), std::distance(heads.begin(), position))->made;
                session.advance_for(virtual_ns - seat->origin_ns, 0);
                EXPECT(!seat->failure);
                poll(*seat->session, found);
                poll(session, expected);
                ++n_asked;
            }
        }
    }
    EXPECT(most >= kMostTogether && n_asked > 300 && found.size() > 20 * 50 * 55);
    EXPECT(found == expected);
    for (Head& head : heads) scheduler.remove(head);
}

// Whatever number of heads: as many turns in each sixteenth of a turn's length, but for one.
void the_load_is_flat(const ModelInfo& info) {
    const auto engine = std::make_shared<ToyEngine>(info);
    Scheduler scheduler(engine, virtual_clock);
    std::list<Head> heads;
    const auto spread = [&] {
        std::array<int, kPlaces> taken{};
        for (const Scheduled* seat : scheduler.members()) ++taken[static_cast<std::size_t>(seat->place)];
        const auto [least, most] = std::ranges::minmax(taken);
        return most - least;
    };
    for (std::uint64_t i = 0; i < 100; ++i, virtual_ns += 3 * kMs) {
        add(scheduler, heads.emplace_back(engine, i));
        EXPECT(spread() <= 1);
        const std::int64_t wait_ns = heads.back().due_ns() - virtual_ns;
        EXPECT(wait_ns >= 0 && wait_ns < kTurnNs);
        if (i == 1) EXPECT(std::abs(heads.front().place - heads.back().place) == kPlaces / 2);
        if (i == 3) {
            std::set<int> quarters;
            for (const Head& head : heads) quarters.insert(head.place % 4);
            EXPECT(quarters.size() == 1);  // a quarter of a turn apart
        }
    }
    for (int i = 0; i < 30; ++i, heads.pop_front()) scheduler.remove(heads.front());
    for (std::uint64_t i = 0; i < 30; ++i) add(scheduler, heads.emplace_back(engine, i));
    EXPECT(spread() <= 1);
    const auto run = [&](std::int64_t ms) {
        std::int64_t allocated = n_allocations;
        std::size_t n_most = 0;
        for (std::int64_t i = 0; i < ms; ++i) {
            virtual_ns += kMs;
            std::size_t n_now = 0;
            scheduler.advance(virtual_ns, 10 * kMs, [&](Scheduled& seat) {
                std::array<float, 55> values;
                for (Frame frame; seat.session->poll({&frame, 1}, values) == 1;) {
                }
                ++n_now;
            });
            n_most = std::max(n_most, n_now);
        }
        EXPECT(n_allocations == allocated);
        return n_most;
    };
    run(400);
    engine->most = engine->n_turns = 0;
    EXPECT(run(1000) == 7);  // 100 heads at 16 places
    EXPECT(engine->n_turns == 500 && engine->most == 7);
    EXPECT(scheduler.next_due_ns() > virtual_ns && scheduler.next_due_ns() <= virtual_ns + kTurnNs / kPlaces);
    for (Head& head : heads) scheduler.remove(head);
    EXPECT(scheduler.next_due_ns() == INT64_MAX && engine->slots.size() == heads.size());
}

void an_error_is_one_heads(const ModelInfo& info) {
    const auto engine = std::make_shared<ToyEngine>(info);
    Scheduler scheduler(engine, virtual_clock);
    std::list<Head> heads;
    for (std::uint64_t i = 0; i < 5; ++i) add(scheduler, heads.emplace_back(engine, i));
    virtual_ns += kTurnNs;
    engine->failing = {2};
    EXPECT(scheduler.step(virtual_ns, kMostTogether).size() == 5);
    int n = 0;
    for (const Head& head : heads) {
        EXPECT((head.made->stats().turns == 1) == (n != 2) && bool{head.failure} == (n == 2));
        ++n;
    }
    EXPECT(scheduler.step(virtual_ns, kMostTogether).empty());  // not tried again at once
    engine->failing.clear();
    virtual_ns += 1000 * kMs;
    while (!scheduler.step(virtual_ns, kMostTogether).empty()) {
    }
    EXPECT(!std::next(heads.begin(), 2)->failure && std::next(heads.begin(), 2)->made->stats().turns > 0);
    bool refused = false;
    try {
        scheduler.advance(virtual_ns, kMs, [](Scheduled&) {});
        scheduler.advance(virtual_ns - 1, kMs, [](Scheduled&) {});
    } catch (const Error& error) {
        refused = error.status() == Status::kInvalidArgument;
    }
    EXPECT(refused);
    for (Head& head : heads) scheduler.remove(head);
}

// An engine that takes 1 ms for a step and 0.5 ms for each turn: 32 heads need (16 * 1 + 32 * 0.5) ms of 200.
void costs_are_measured(const ModelInfo& info) {
    const auto engine = std::make_shared<ToyEngine>(info);
    engine->step_ns = kMs;
    engine->each_ns = kMs / 2;
    Scheduler scheduler(engine, virtual_clock);
    EXPECT(engine->slots.empty());
    const auto near = [](double found, double expected) { return found > 0.8 * expected && found < 1.3 * expected; };
    EXPECT(near(scheduler.load(1), 1.5 / 200) && near(scheduler.load(32), 32.0 / 200));
    EXPECT(near(static_cast<double>(scheduler.turn_cost_ns(32)), 1.0 * kMs));
    EXPECT(scheduler.turns_within(0) == 0 && scheduler.turns_within(4 * kMs) >= 4 &&
           scheduler.turns_within(4 * kMs) <= 8);
    EXPECT(scheduler.overload(32, 0.3).empty());
    const std::string text = scheduler.overload(32, 0.1);
    EXPECT(text.starts_with("32 heads would take 0.1") && text.ends_with("expected at most 0.10"));
    std::list<Head> heads;
    for (std::uint64_t i = 0; i < 32; ++i) add(scheduler, heads.emplace_back(engine, i));
    engine->each_ns = kMs;  // and grows dearer: found out while it runs
    for (int i = 0; i < 400; ++i) {
        virtual_ns += 5 * kMs;
        scheduler.advance(virtual_ns, kMs, [](Scheduled& seat) {
            std::array<float, 55> values;
            for (Frame frame; seat.session->poll({&frame, 1}, values) == 1;) {
            }
        });
    }
    EXPECT(near(scheduler.load(32), 48.0 / 200));
    for (int i = 0; i < 200; ++i) scheduler.charge(32 * kMs, 32);  // publishing takes a millisecond a turn
    EXPECT(near(scheduler.load(32), 80.0 / 200));
    for (Head& head : heads) scheduler.remove(head);
}

}  // namespace
}  // namespace visavis

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const visavis::ModelFile file = visavis::ModelFile::open(argv[1]);
    visavis::ModelInfo info = file.info();
    visavis::together_is_one_by_one(file, 1);
    visavis::together_is_one_by_one(file, 2);
    visavis::the_load_is_flat(info);
    visavis::an_error_is_one_heads(info);
    visavis::costs_are_measured(info);
    std::puts("ok");
    return 0;
}
