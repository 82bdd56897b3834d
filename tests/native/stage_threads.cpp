// All that a game's threads may do at once to one stage, for sanitizers; counts what the calls of a frame allocate.
// usage: stage_threads MODEL.gguf SECONDS     prints one line of JSON.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "visavis/visavis.h"

namespace {

vv_stage* stage = nullptr;
std::int32_t npc = 0, guard = 0, extra = 0;
std::atomic<bool> done{false};
std::atomic<long> n_voiced{0};
thread_local bool counting = false;
std::atomic<long> n_allocations{0}, n_blocks{0};

void* counted(std::size_t size, std::size_t alignment) {
    if (counting) ++n_allocations;
    ++n_blocks;
    void* block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!block) throw std::bad_alloc();
    return block;
}

void uncounted(void* block) {
    if (block) --n_blocks;
    std::free(block);
}

// While it lives, what this thread allocates is counted.
struct Frame {
    Frame() { counting = true; }
    ~Frame() { counting = false; }
};

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void sample(long& n_live) {
    vv_face face{};
    face.struct_size = sizeof face;
    while (!done) {
        for (int i = 0; i < 20; ++i) {
            const Frame frame;
            if (vv_stage_sample(stage, npc, vv_now(), &face) == VV_OK) n_live += (face.state & VV_FACE_NEUTRAL) == 0;
            vv_stage_sample_at(stage, npc, face.session_ns, &face);
            vv_stage_sample(stage, guard, vv_now(), &face);
            vv_stage_sample(stage, extra, vv_now(), &face);
        }
        pause_ms(4);
    }
}

void listen(long& n_read) {
    float samples[480];
    vv_heard heard{};
    heard.struct_size = sizeof heard;
    while (!done) {
        {
            const Frame frame;
            if (vv_stage_read_audio(stage, npc, vv_now(), samples, 480, 48000, &heard) == VV_OK) {
                n_voiced += heard.n_voiced;
                ++n_read;
            }
        }
        pause_ms(2);
    }
}

void speak(long& n_sent) {
    std::vector<float> samples(640, 0.1F), face(55, 0.1F);
    while (!done) {
        {
            const Frame frame;
            n_sent += vv_stage_send_user_audio(stage, npc, samples.data(), 320, 16000, VV_TIME_NEXT) == VV_OK;
            n_sent += vv_stage_send_user_face(stage, npc, face.data(), VV_TIME_NEXT) == VV_OK;
            n_sent += vv_stage_send_agent_audio(stage, npc, samples.data(), 400, 16000, VV_TIME_NEXT) == VV_OK;
            vv_stage_set_dial(stage, npc, "emotion.joy", n_sent % 2 ? 0.2 : 0.4);
            if (n_sent % 300 == 0) vv_stage_cancel(stage, npc, VV_TIME_NEXT);
            vv_stage_session_time(stage, npc, vv_now());
        }
        pause_ms(20);
    }
}

void look(long& n_done) {
    for (; !done; ++n_done) {
        char text[600], name[16];
        vv_stage_stats stats{};
        stats.struct_size = sizeof stats;
        vv_stage_get_stats(stage, npc, &stats);
        vv_stage_status_text(stage, npc, text, sizeof text);
        vv_stage_status_text(stage, -1, text, sizeof text);
        vv_stage_list_heads(stage, text, sizeof text);
        while (vv_stage_next_log(stage, nullptr, text, sizeof text)) {
        }
        std::snprintf(name, sizeof name, "extra%ld", n_done / 8 % 2);
        if (n_done % 8 == 0 && vv_stage_open_head(stage, name, nullptr) < 0) vv_stage_close_head(stage, name);
        pause_ms(10);
    }
}

vv_stage* open_stage(const char* path, std::uint32_t flags) {
    vv_model* model = nullptr;
    vv_engine* engine = nullptr;
    vv_stage_config config;
    vv_default_stage_config(&config, sizeof config);
    config.flags = flags;
    config.max_load = 1000;
    vv_stage* opened = nullptr;
    if (vv_model_load(path, &model) != VV_OK || vv_engine_create(model, nullptr, &engine) != VV_OK ||
        vv_stage_create(engine, &config, &opened) != VV_OK)
        std::exit(1);
    vv_engine_destroy(engine);
    vv_model_destroy(model);
    return opened;
}

void* hook(void*, std::size_t size, std::size_t alignment) { return counted(size, alignment < 16 ? 16 : alignment); }
void unhook(void*, void* block) { uncounted(block); }

}  // namespace

void* operator new(std::size_t size) { return counted(size, 16); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { uncounted(block); }
void operator delete(void* block, std::size_t) noexcept { uncounted(block); }
void operator delete(void* block, std::align_val_t) noexcept { uncounted(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { uncounted(block); }

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const vv_allocator allocator{hook, unhook, nullptr};
    if (vv_set_allocator(&allocator) != VV_OK) return 1;
    vv_stage_destroy(open_stage(argv[1], 0));  // at once: the thread is joined whatever it does
    const long n_before = n_blocks;
    stage = open_stage(argv[1], 0);
    npc = vv_stage_open_head(stage, "npc", nullptr);
    guard = vv_stage_open_head(stage, "guard", nullptr);
    extra = vv_stage_follow(stage, "extra0");  // opened and closed all the time
    const std::int64_t began_ns = vv_now();
    long results[8] = {0};
    vv_stage_stats stats{};
    stats.struct_size = sizeof stats;
    {
        std::vector<std::thread> threads;
        void (*const bodies[])(long&) = {sample, sample, listen, listen, speak, speak, look, look};
        for (std::size_t i = 0; i < 8; ++i) threads.emplace_back(bodies[i], std::ref(results[i]));
        // For so long, and where the machine is busy with other things until all of it has happened.
        const auto passed = [&](double seconds) { return static_cast<double>(vv_now() - began_ns) * 1e-9 > seconds; };
        do {
            pause_ms(50);
            if (vv_stage_get_stats(stage, npc, &stats) != VV_OK) return 1;
        } while (!passed(std::atof(argv[2])) ||
                 (!passed(60) && (stats.frames < 10 || stats.cuts < 2 || n_voiced < 1000)));
        done = true;
        for (std::thread& thread : threads) thread.join();
        vv_stage_open_head(stage, "last", nullptr);  // still in the queue when the stage ends
        vv_stage_destroy(stage);
    }
    std::printf(
        "{\"live\": %ld, \"voiced\": %ld, \"sent\": %ld, \"looked\": %ld, \"frames\": %llu, \"cuts\": %llu, "
        "\"allocations\": %ld, \"blocks_left\": %ld}\n",
        results[0] + results[1], n_voiced.load(), results[4] + results[5], results[6] + results[7],
        static_cast<unsigned long long>(stats.frames), static_cast<unsigned long long>(stats.cuts),
        n_allocations.load(), n_blocks.load() - n_before);
    return 0;
}
