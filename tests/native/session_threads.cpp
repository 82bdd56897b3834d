// The thread rules of visavis.h, for the thread sanitizer: engines of one model in two threads, sessions of one engine
// in two threads, one session in three threads.  A second caller gets VV_ERROR_STATE and tries again; what comes out is
// what a single thread gets.
// usage: session_threads MODEL.gguf     prints "ok", or what went wrong and returns 1.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "visavis/visavis.h"

namespace {

constexpr int kChannels = 55, kRate = 16000, kSamples = 2 * kRate, kChunk = 1600;

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "%s (last error: %s)\n", what, vv_last_error());
    std::exit(1);
}

std::atomic<long> n_refused{0};

// Again and again while somebody else is at it.
template <class Call>
void insist(Call call) {
    for (;;) {
        const vv_status status = call();
        if (status == VV_OK) return;
        expect(status == VV_ERROR_STATE && std::strstr(vv_last_error(), "one caller at a time"), "another error");
        ++n_refused;
        std::this_thread::yield();
    }
}

std::vector<float> voice(double pitch) {
    std::vector<float> samples(kSamples);
    for (int i = 0; i < kSamples; ++i)
        samples[static_cast<std::size_t>(i)] = 0.3F * static_cast<float>(std::sin(pitch * i));
    return samples;
}

void poll_all(vv_session* session, std::vector<float>& values) {
    for (;;) {
        vv_frame frame{};
        float value[kChannels];
        std::size_t n = 0;
        insist([&] { return vv_session_poll(session, &frame, value, 1, &n); });
        if (n == 0) return;
        values.insert(values.end(), value, value + kChannels);
    }
}

// A whole conversation; all values of all frames.
std::vector<float> converse(vv_engine* engine, std::uint64_t seed) {
    vv_session_config config = vv_session_config_default();
    config.seed = seed;
    vv_session* session = nullptr;
    insist([&] { return vv_session_create(engine, &config, &session); });
    const std::vector<float> agent = voice(0.05), user = voice(0.03);
    std::vector<float> values;
    for (std::size_t at = 0; at < kSamples; at += kChunk) {
        insist([&] { return vv_session_push_agent_audio(session, &agent[at], kChunk, kRate, VV_TIME_NEXT, nullptr); });
        insist([&] { return vv_session_push_user_audio(session, &user[at], kChunk, kRate, VV_TIME_NEXT, nullptr); });
        poll_all(session, values);
    }
    insist([&] { return vv_session_end(session); });
    poll_all(session, values);
    expect(values.size() == 50 * kChannels, "50 frames");
    vv_session_destroy(session);
    return values;
}

vv_engine* open_engine(const vv_model* model) {
    vv_engine* engine = nullptr;
    expect(vv_engine_create(model, nullptr, &engine) == VV_OK, "an engine");
    return engine;
}

// Two conversations at a time.
void together(vv_engine* one, vv_engine* other, const std::vector<float> (&alone)[2]) {
    std::vector<float> values[2];
    std::thread first([&] { values[0] = converse(one, 1); });
    std::thread second([&] { values[1] = converse(other, 2); });
    first.join();
    second.join();
    expect(values[0] == alone[0] && values[1] == alone[1], "the frames that a single thread gets");
}

// One session: one thread pushes, one advances and polls, one looks at it and turns dials.
void crowd(vv_engine* engine) {
    vv_session* session = nullptr;
    vv_session_config config = vv_session_config_default();
    config.clock = [](void*) -> std::int64_t { return 0; };  // no turn is late, however slow the sanitizer
    expect(vv_session_create(engine, &config, &session) == VV_OK, "a session");
    std::atomic<bool> done{false};
    std::thread pusher([&] {
        const std::vector<float> agent = voice(0.05);
        for (std::size_t at = 0; at < kSamples; at += kChunk)
            insist(
                [&] { return vv_session_push_agent_audio(session, &agent[at], kChunk, kRate, VV_TIME_NEXT, nullptr); });
    });
    std::thread looker([&] {
        vv_session_stats stats{};
        stats.struct_size = sizeof stats;
        vv_turn turns[4];
        std::size_t n = 0;
        while (!done) {
            insist([&] { return vv_session_get_stats(session, &stats); });
            insist([&] { return vv_session_poll_turns(session, turns, 4, &n); });
            insist([&] { return vv_session_set_dial(session, "emotion.joy", stats.turns % 2 ? 0.3 : 0.6); });
            expect(vv_session_n_dials(session) > 0 && vv_session_delay_ns(session) == 0, "facts that never change");
        }
    });
    std::vector<float> values;
    for (std::int64_t now = 0; now < 1'000'000'000; now += 20'000'000) {
        insist([&] { return vv_session_advance(session, now); });
        poll_all(session, values);
    }
    done = true;
    pusher.join();
    looker.join();
    expect(values.size() == 30 * kChannels, "30 frames");
    vv_session_destroy(session);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    vv_model* model = nullptr;
    expect(vv_model_load(argv[1], &model) == VV_OK, "the model");
    vv_engine *one = open_engine(model), *other = open_engine(model);
    const std::vector<float> alone[2] = {converse(one, 1), converse(one, 2)};
    expect(alone[0] != alone[1] && n_refused == 0, "two seeds, one thread");
    together(one, other, alone);
    expect(n_refused == 0, "engines of one model do not meet");
    together(one, one, alone);
    crowd(one);
    expect(n_refused > 0, "callers met");
    vv_engine_destroy(one);
    vv_engine_destroy(other);
    vv_model_destroy(model);
    std::puts("ok");
    return 0;
}
