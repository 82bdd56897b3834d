// Counts what a live session allocates after its first turns: nothing.  Sees libvisavis's calls of operator new and of
// its allocator hook, on every path of the frame: push, advance, cancel, poll, both voices at 48 kHz, user motion,
// dials; with an engine that seems slow at times, under each policy for late turns. usage: allocations MODEL.gguf
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "visavis/visavis.h"

namespace {

std::atomic<long> n_allocations{0};
bool slow = false;

void* counted(std::size_t size, std::size_t alignment) {
    ++n_allocations;
    void* block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!block) throw std::bad_alloc();
    return block;
}

void check(vv_status status) {
    if (status == VV_OK) return;
    std::fprintf(stderr, "%s\n", vv_last_error());
    std::exit(1);
}

void* hook(void*, std::size_t size, std::size_t alignment) { return counted(size, alignment < 16 ? 16 : alignment); }
void unhook(void*, void* block) { std::free(block); }

// Each look at this clock takes its time, so that the engine seems to.
std::int64_t slow_clock(void* now) { return *static_cast<std::int64_t*>(now) += slow ? 90'000'000 : 1'000; }

// One tick of 10 ms; returns the frames polled.
std::size_t tick(vv_session* session, long i, const std::vector<float>& chunk, const std::vector<float>& motion) {
    const std::int64_t now = i * 10'000'000;
    check(vv_session_push_user_audio(session, chunk.data(), chunk.size(), 48000, now, nullptr));
    check(vv_session_push_agent_audio(session, chunk.data(), chunk.size(), 48000, VV_TIME_NEXT, nullptr));
    if (i % 4 == 0) check(vv_session_push_user_motion(session, motion.data(), 1, now, nullptr));
    check(vv_session_set_dial(session, "emotion.joy", i % 50 < 25 ? 0.5 : 0));
    check(vv_session_set_dial(session, "jawOpen.max", i % 70 < 35 ? 0.5 : 1));
    slow = i % 600 > 400;
    check(vv_session_advance(session, now));
    if (i % 500 == 499) check(vv_session_cancel(session, now, nullptr));
    if (i % 900 == 899) check(vv_session_cancel_user(session, now));
    vv_turn turns[4];
    std::size_t n_turns = 0;
    check(vv_session_poll_turns(session, turns, 4, &n_turns));
    vv_frame frames[8];
    static float values[8 * 55];
    std::size_t n = 0;
    check(vv_session_poll(session, frames, values, 8, &n));
    return n;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, 16); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const vv_allocator allocator{hook, unhook, nullptr};
    check(vv_set_allocator(&allocator));
    vv_model* model = nullptr;
    vv_engine* engine = nullptr;
    vv_session* session = nullptr;
    check(vv_model_load(argv[1], &model));
    check(vv_engine_create(model, nullptr, &engine));
    const std::vector<float> chunk(480, 0.1F), motion(55, 0.1F);
    if (n_allocations == 0) return 1;  // the counter counts
    std::size_t n_frames = 0;
    long n_warm = 0;
    vv_session_stats all{}, stats{};
    stats.struct_size = sizeof stats;
    for (const std::uint32_t late : {VV_LATE_HOLD, VV_LATE_FEWER_STEPS, VV_LATE_IDLE}) {
        std::int64_t clock = 0;
        vv_session_config config = vv_session_config_default();
        config.late = late;
        config.clock = slow_clock;
        config.clock_user = &clock;
        check(vv_session_create(engine, &config, &session));
        long warm = 0;
        for (long i = 0; i < 2400; ++i) {
            if (i == 1000) warm = n_allocations;
            n_frames += tick(session, i, chunk, motion);
        }
        n_warm += n_allocations - warm;
        check(vv_session_get_stats(session, &stats));
        all.dropped_frames += stats.dropped_frames;
        all.idle_turns += stats.idle_turns;
        all.fewer_steps_turns += stats.fewer_steps_turns;
        all.replaced_frames += stats.replaced_frames;
        vv_session_destroy(session);
    }
    std::printf(
        "{\"frames\": %zu, \"allocations\": %ld, \"dropped\": %ld, \"idle\": %ld, \"fewer\": %ld, \"replaced\": %ld}\n",
        n_frames, n_warm, static_cast<long>(all.dropped_frames), static_cast<long>(all.idle_turns),
        static_cast<long>(all.fewer_steps_turns), static_cast<long>(all.replaced_frames));
    vv_engine_destroy(engine);
    vv_model_destroy(model);
    return 0;
}
