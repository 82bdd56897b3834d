// Turns of several sessions in one step of their engine (begin_turn, step, end_turn) against sessions that advance one
// by one: the same frames, to the byte, late turns and interruptions included.
#include <cstring>
#include <memory>
#include <vector>

#include "engine_test.h"
#include "engines/cpu/cpu_engine.h"
#include "session/session.h"

namespace visavis::test {
namespace {

constexpr std::size_t kSessions = 5;
constexpr std::int64_t kMs = 1'000'000;

struct Group {
    explicit Group(const std::shared_ptr<Engine>& shared) : engine(shared) {
        for (std::size_t i = 0; i < kSessions; ++i) {
            SessionConfig config;
            config.seed = i;
            config.late = static_cast<LatePolicy>(i % 3);
            config.clock = [] { return std::int64_t{0}; };
            sessions.push_back(std::make_unique<Session>(engine, config));
        }
    }

    void push(std::int64_t now_ns, std::span<const float> voice) {
        for (std::size_t i = 0; i < kSessions; ++i) {
            sessions[i]->push_user_audio(voice, 16000, now_ns);
            if (i != 3) sessions[i]->push_agent_audio(voice, 16000);
            if (i == 2 && now_ns == 1200 * kMs) sessions[i]->cancel(now_ns);
        }
    }

    void one_by_one(std::int64_t now_ns) {
        for (const auto& session : sessions) session->advance_for(now_ns, 0);
        poll();
    }

    void together(std::int64_t now_ns) {
        std::vector<Session*> open;
        std::vector<TurnInput> inputs;
        std::vector<TurnOutput> outputs;
        for (const auto& session : sessions) {
            if (OpenTurn* turn = session->begin_turn(now_ns)) {
                open.push_back(session.get());
                inputs.push_back(turn->input);
                outputs.push_back(turn->output);
            }
        }
        most = std::max(most, open.size());
        engine->step(inputs, outputs);
        for (Session* session : open) session->end_turn();
        poll();
    }

    void poll() {
        std::vector<float> values(static_cast<std::size_t>(engine->info().n_channels()));
        for (const auto& session : sessions) {
            Frame frame;
            while (session->poll({&frame, 1}, values) == 1) {
                all.push_back(static_cast<float>(frame.index) + static_cast<float>(frame.state) / 16);
                all.insert(all.end(), values.begin(), values.end());
            }
        }
    }

    std::shared_ptr<Engine> engine;
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<float> all;
    std::size_t most = 0;
};

}  // namespace

void test_sessions(const std::string& model_path) {
    const std::shared_ptr<Engine> engine = std::make_shared<CpuEngine>(ModelFile::open(model_path));
    Group alone(engine), together(engine);
    std::vector<float> voice(1600);
    for (std::size_t i = 0; i < voice.size(); ++i) voice[i] = static_cast<float>(i % 80) / 400 - 0.1F;
    std::int64_t now_ns = 0;
    for (int i = 0; i < 60; ++i, now_ns += (i % 20 == 7 ? 700 : 100) * kMs) {  // three hold-ups: turns are skipped
        for (Group* group : {&alone, &together}) group->push(now_ns, voice);
        alone.one_by_one(now_ns);
        together.together(now_ns);
    }
    expect(together.most == kSessions, "all sessions in one step");
    expect(alone.all.size() > 1000 && alone.all == together.all, "frames of turns that were made together");
}

}  // namespace visavis::test
