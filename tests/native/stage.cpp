// A stage in virtual time, ticked: what it shows is what a session on the clock gives; barge-in, voice, overload,
// closing and bad arguments.  usage: stage MODEL.gguf     prints "ok", or what went wrong and returns 1.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "visavis/visavis.h"

namespace {

constexpr std::int64_t kMs = 1'000'000, kFrame = 40 * kMs;
constexpr int kRate = 16000;
std::int64_t virtual_ns = 1'000'000'000'000;

std::int64_t virtual_clock(void*) { return virtual_ns; }

#define EXPECT(holds)                                                                                  \
    do {                                                                                               \
        if (!(holds)) {                                                                                \
            std::fprintf(stderr, "line %d: %s (last error: %s)\n", __LINE__, #holds, vv_last_error()); \
            std::exit(1);                                                                              \
        }                                                                                              \
    } while (false)

std::vector<float> voice(double seconds, double pitch) {
    std::vector<float> samples(static_cast<std::size_t>(seconds * kRate));
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = 0.3F * static_cast<float>(std::sin(pitch * static_cast<double>(i)));
    return samples;
}

vv_stage* make_stage(vv_engine* engine, std::uint32_t flags = VV_STAGE_TICKED, float max_load = 1000) {
    vv_stage_config config;
    vv_default_stage_config(&config, sizeof config);
    config.flags = flags;
    config.clock = virtual_clock;
    config.max_load = max_load;
    vv_stage* stage = nullptr;
    EXPECT(vv_stage_create(engine, &config, &stage) == VV_OK);
    return stage;
}

vv_face sample(vv_stage* stage, std::int32_t head, std::int64_t later_ns = 0) {
    vv_face face{};
    face.struct_size = sizeof face;
    EXPECT(vv_stage_sample(stage, head, virtual_ns + later_ns, &face) == VV_OK);
    return face;
}

std::string status(vv_stage* stage, std::int32_t head) {
    char text[600];
    EXPECT(vv_stage_status_text(stage, head, text, sizeof text) == VV_OK);
    return text;
}

bool says(const std::string& text, const char* part) {
    if (text.find(part) != std::string::npos) return true;
    std::fprintf(stderr, "\"%s\" lacks \"%s\"\n", text.c_str(), part);
    return false;
}

void tick(vv_stage* stage, std::int64_t ms) {
    for (std::int64_t i = 0; i < ms; i += 4) {
        virtual_ns += 4 * kMs;
        EXPECT(vv_stage_tick(stage, UINT32_MAX) == VV_OK);
    }
}

vv_stage_stats stats(vv_stage* stage, std::int32_t head) {
    vv_stage_stats stats{};
    stats.struct_size = sizeof stats;
    EXPECT(vv_stage_get_stats(stage, head, &stats) == VV_OK);
    return stats;
}

// The frames of a session that is advanced every 4 ms, by index.
std::map<std::int64_t, std::vector<float>> session_frames(vv_engine* engine, const std::vector<float>& agent) {
    vv_session_config config = vv_session_config_default();
    config.seed = 7;
    config.clock = virtual_clock;
    vv_session* session = nullptr;
    EXPECT(vv_session_create(engine, &config, &session) == VV_OK);
    EXPECT(vv_session_push_agent_audio(session, agent.data(), agent.size(), kRate, VV_TIME_NEXT, nullptr) == VV_OK);
    std::map<std::int64_t, std::vector<float>> frames;
    for (std::int64_t now = -kFrame; now < 3'000 * kMs; now += 4 * kMs) {
        EXPECT(vv_session_advance(session, now) == VV_OK);
        vv_frame frame;
        float values[55];
        for (std::size_t n = 1; n > 0;) {
            EXPECT(vv_session_poll(session, &frame, values, 1, &n) == VV_OK);
            if (n == 1) frames[frame.index].assign(values, values + 55);
        }
    }
    vv_session_destroy(session);
    return frames;
}

void shows_what_a_session_gives(vv_engine* engine) {
    const std::vector<float> agent = voice(2, 0.05);
    const auto expected = session_frames(engine, agent);
    vv_stage* stage = make_stage(engine);
    vv_session_config config = vv_session_config_default();
    config.seed = 7;
    const std::int32_t head = vv_stage_open_head(stage, "npc", &config);
    EXPECT(head == 0 && vv_stage_follow(stage, "npc") == head);
    EXPECT(sample(stage, head).state == (VV_FACE_LISTENING | VV_FACE_NEUTRAL) && sample(stage, head).epoch == 0);
    EXPECT(vv_stage_send_agent_audio(stage, head, agent.data(), 32000, kRate, VV_TIME_NEXT) == VV_OK);
    int n_compared = 0, n_speaking = 0, n_between = 0;
    double squares = 0, voiced = 0;
    for (int i = 0; i < 700; ++i) {
        tick(stage, 4);
        float heard[64];
        vv_heard about{};
        about.struct_size = sizeof about;
        EXPECT(vv_stage_read_audio(stage, head, virtual_ns, heard, 64, kRate, &about) == VV_OK);
        voiced += about.n_voiced;
        for (const float x : heard) squares += static_cast<double>(x * x);
        const vv_face face = sample(stage, head);
        n_speaking += (face.state & VV_FACE_SPEAKING) != 0;
        if (i < 100 || (face.state & (VV_FACE_NEUTRAL | VV_FACE_EASING | VV_FACE_HELD))) continue;
        EXPECT(face.delay_ns >= 0 && face.delay_ns < 50 * kMs);
        const auto left = expected.find(face.frame), right = expected.find(face.frame + 1);
        if (left == expected.end() || right == expected.end()) continue;
        for (std::size_t c = 0; c < 55; ++c) {
            const float shown = c < 52 ? face.shapes[c] : c == 52 ? face.yaw : c == 53 ? face.pitch : face.roll;
            const float wanted = left->second[c] + (right->second[c] - left->second[c]) * face.phase;
            EXPECT(std::fabs(shown - wanted) < 1e-5F);
        }
        n_between += face.phase > 0.1F && face.phase < 0.9F;
        ++n_compared;
    }
    EXPECT(n_compared > 400 && n_between > 200 && n_speaking > 300);
    EXPECT(std::fabs(voiced / kRate - 2.0) < 0.05 && std::fabs(squares / kRate - 2.0 * 0.045) < 0.01);
    EXPECT(says(status(stage, head), "is live") && says(status(stage, head), "player's voice has not come"));
    const vv_stage_stats found = stats(stage, head);
    EXPECT(found.skipped_turns == 0 && found.late_turns == 0 && found.turns >= 12 && found.agent_pushed == 32000);
    vv_stage_destroy(stage);
}

// A microphone that is on before the head's clock begins is heard when it was: the frames are those of a session that
// was told the times.
void hears_the_microphone_in_time(vv_engine* engine) {
    const std::vector<float> user = voice(3, 0.03);
    vv_stage* stage = make_stage(engine);
    EXPECT(vv_stage_open_head(stage, "other", nullptr) == 0);
    tick(stage, 4);
    const std::int32_t head = vv_stage_open_head(stage, "npc", nullptr);  // begins in the middle of the other's turn
    std::map<std::int64_t, std::vector<float>> shown;
    std::vector<std::int64_t> times;  // session times of the ticks
    for (std::size_t i = 0; i < 500; ++i) {
        tick(stage, 4);
        EXPECT(vv_stage_send_user_audio(stage, head, &user[i * 64], 64, kRate, VV_TIME_NEXT) == VV_OK);
        times.push_back(vv_stage_session_time(stage, head, virtual_ns));
        vv_face face{};
        face.struct_size = sizeof face;
        const std::int64_t frame = (times.back() == INT64_MIN ? 0 : times.back() / kFrame) - 1;
        EXPECT(frame < 5 || vv_stage_sample_at(stage, head, frame * kFrame, &face) == VV_OK);
        if (frame >= 10) shown[frame].assign(face.shapes, face.shapes + 52);
    }
    vv_stage_destroy(stage);
    EXPECT(times[5] < -50 * kMs && times[499] > 1500 * kMs);
    vv_session* session = nullptr;
    vv_session_config config = vv_session_config_default();
    config.clock = virtual_clock;
    EXPECT(vv_session_create(engine, &config, &session) == VV_OK);
    int n_same = 0;
    for (std::size_t i = 0; i < 500; ++i) {
        const std::int64_t began = times[i] - 4 * kMs;
        if (times[i] > 0)
            EXPECT(vv_session_push_user_audio(session, &user[i * 64], 64, kRate, began, nullptr) == VV_OK);
        if (times[i] < -kFrame) continue;
        EXPECT(vv_session_advance(session, times[i]) == VV_OK);
        vv_frame frame;
        float values[55];
        for (std::size_t n = 1; n > 0;) {
            EXPECT(vv_session_poll(session, &frame, values, 1, &n) == VV_OK);
            if (n == 0 || shown.find(frame.index) == shown.end()) continue;
            for (std::size_t c = 0; c < 52; ++c) EXPECT(std::fabs(shown[frame.index][c] - values[c]) < 1e-5F);
            ++n_same;
        }
    }
    EXPECT(n_same > 20);
    vv_session_destroy(session);
}

// The player interrupts: voice and speaking face end; they may begin anew.
void stops_when_interrupted(vv_engine* engine) {
    vv_stage* stage = make_stage(engine);
    const std::int32_t head = vv_stage_open_head(stage, "npc", nullptr);
    const std::vector<float> agent = voice(20, 0.05);
    EXPECT(vv_stage_send_agent_audio(stage, head, agent.data(), 320000, kRate, VV_TIME_NEXT) == VV_OK);
    tick(stage, 1200);
    EXPECT(sample(stage, head).state & VV_FACE_SPEAKING);
    EXPECT(vv_stage_cancel(stage, head, VV_TIME_NEXT) == VV_OK);
    tick(stage, 200);
    float heard[160];
    vv_heard about{};
    about.struct_size = sizeof about;
    EXPECT(vv_stage_read_audio(stage, head, virtual_ns, heard, 160, kRate, &about) == VV_OK);
    for (const float x : heard) EXPECT(x == 0);
    tick(stage, 200);
    EXPECT((sample(stage, head).state & (VV_FACE_SPEAKING | VV_FACE_HELD)) == 0 && stats(stage, head).cuts == 1);
    EXPECT(vv_stage_send_agent_audio(stage, head, agent.data(), 16000, kRate, VV_TIME_NEXT) == VV_OK);
    tick(stage, 600);
    EXPECT(sample(stage, head).state & VV_FACE_SPEAKING);
    vv_stage_destroy(stage);
}

// Closed, it eases to neutral; opened anew, it is another epoch.  Nobody ticks: the same, and the status says so.
void eases_to_neutral(vv_engine* engine) {
    vv_stage* stage = make_stage(engine);
    EXPECT(says(status(stage, -1), "vv_stage_tick was not called yet"));
    const std::int32_t head = vv_stage_follow(stage, "npc");
    tick(stage, 8);
    EXPECT(says(status(stage, head), "is not open; open it with vv_stage_open_head"));
    EXPECT(vv_stage_open_head(stage, "npc", nullptr) == head);
    EXPECT(vv_stage_open_head(stage, "npc", nullptr) == -VV_ERROR_STATE);
    EXPECT(vv_stage_session_time(stage, head, virtual_ns) == INT64_MIN);
    tick(stage, 1000);
    EXPECT(std::llabs(vv_stage_session_time(stage, head, virtual_ns) - 1000 * kMs) < 260 * kMs);
    EXPECT(!(sample(stage, head).state & VV_FACE_NEUTRAL));
    EXPECT(vv_stage_close_head(stage, "npc") == VV_OK && vv_stage_close_head(stage, "npc") == VV_ERROR_STATE);
    tick(stage, 1200);
    EXPECT(sample(stage, head).state & VV_FACE_NEUTRAL);
    EXPECT(says(status(stage, head), "was closed") && stats(stage, -1).n_heads == 0);
    EXPECT(vv_stage_open_head(stage, "npc", nullptr) == head);
    tick(stage, 1000);
    EXPECT(sample(stage, head).epoch == 2 && !(sample(stage, head).state & VV_FACE_NEUTRAL));
    virtual_ns += 3'000 * kMs;
    EXPECT(sample(stage, head).state & VV_FACE_NEUTRAL);
    EXPECT(says(status(stage, head), "vv_stage_tick was last called 3.0 s ago"));
    tick(stage, 800);
    EXPECT(!(sample(stage, head).state & VV_FACE_NEUTRAL) && stats(stage, head).skipped_turns > 10);
    char names[64];
    EXPECT(vv_stage_list_heads(stage, names, sizeof names) == 1 && std::strcmp(names, "npc") == 0);
    vv_stage_destroy(stage);
}

// The turns of many heads come one after the other: no tick has many of them.
void spreads_the_work(vv_engine* engine) {
    vv_stage* stage = make_stage(engine);
    char name[16];
    for (int i = 0; i < 50; ++i) {
        std::snprintf(name, sizeof name, "head%d", i);
        EXPECT(vv_stage_open_head(stage, name, nullptr) == i);
    }
    tick(stage, 600);
    std::uint64_t most = 0, before = 0;
    for (int i = 0; i < 100; ++i) {
        tick(stage, 4);
        std::uint64_t turns = 0;
        for (int head = 0; head < 50; ++head) turns += stats(stage, head).turns;
        if (i > 0 && turns - before > most) most = turns - before;
        before = turns;
    }
    EXPECT(most == 4);  // 50 heads at 16 places of 12.5 ms: 3 or 4 at each, and a tick of 4 ms has one place at most
    vv_stage_destroy(stage);
}

// An actor speaks live: voice and face come out later, together.
void shows_an_actor(vv_engine* engine) {
    vv_stage* stage = make_stage(engine);
    vv_session_config config = vv_session_config_default();
    config.agent_audio = VV_AGENT_AUDIO_LIVE;
    const std::int32_t head = vv_stage_open_head(stage, "actor", &config);
    const std::vector<float> agent = voice(2, 0.05);
    std::int64_t began = 0, spoke = 0, heard = 0;
    for (std::size_t at = 0; at < 500; ++at) {
        float samples[64] = {0}, out[64];
        if (at >= 200) std::copy_n(&agent[(at - 200) * 64], 64, samples);
        if (at == 200) began = virtual_ns;
        EXPECT(vv_stage_send_agent_audio(stage, head, samples, 64, kRate, VV_TIME_NEXT) == VV_OK);
        tick(stage, 4);
        EXPECT(vv_stage_read_audio(stage, head, virtual_ns, out, 64, kRate, nullptr) == VV_OK);
        const vv_face face = sample(stage, head);
        if (heard == 0 && std::fabs(out[63]) > 0.01F) heard = virtual_ns;
        if (spoke == 0 && (face.state & VV_FACE_SPEAKING)) spoke = virtual_ns;
    }
    EXPECT(heard - began > 200 * kMs && heard - began < 600 * kMs);
    EXPECT(std::llabs(spoke - heard) < 60 * kMs);  // a frame, and the ticks
    vv_stage_destroy(stage);
}

// A budget that allows nothing makes one turn a tick, and takes what was sent all the same; none is no work.
void keeps_to_its_budget(vv_engine* engine) {
    vv_stage* stage = make_stage(engine);
    char name[16];
    const std::vector<float> agent = voice(2, 0.05);
    for (int i = 0; i < 20; ++i) {
        std::snprintf(name, sizeof name, "head%d", i);
        EXPECT(vv_stage_open_head(stage, name, nullptr) == i);
        EXPECT(vv_stage_send_agent_audio(stage, i, agent.data(), 32000, kRate, VV_TIME_NEXT) == VV_OK);
    }
    const auto n_turns = [stage] {
        std::uint64_t turns = 0;
        for (int head = 0; head < 20; ++head) turns += stats(stage, head).turns;
        return turns;
    };
    for (int i = 0; i < 400; ++i) EXPECT(vv_stage_tick(stage, 1) == VV_OK);  // all that was sent, piece by piece
    virtual_ns += 250 * kMs;                                                 // the first turns of all heads are due
    const std::uint64_t before = n_turns();
    EXPECT(vv_stage_tick(stage, 0) == VV_OK && n_turns() == before);
    for (std::uint64_t i = 1; i <= 15; ++i) EXPECT(vv_stage_tick(stage, 1) == VV_OK && n_turns() == before + i);
    for (int head = 0; head < 20; ++head) EXPECT(stats(stage, head).agent_pushed == 32000);
    EXPECT(vv_stage_tick(stage, UINT32_MAX) == VV_OK && n_turns() >= 20);
    vv_stage_destroy(stage);
}

void refuses_what_cannot_be(vv_engine* engine) {
    vv_stage* stage = make_stage(engine, VV_STAGE_TICKED, 0);
    EXPECT(vv_stage_open_head(stage, "npc", nullptr) == -VV_ERROR_FULL && says(vv_last_error(), "config.max_load"));
    vv_stage_destroy(stage);
    stage = make_stage(engine);
    const std::int32_t head = vv_stage_open_head(stage, "npc", nullptr);
    float samples[160] = {0}, face[55] = {0};
    EXPECT(vv_stage_send_user_audio(stage, head, samples, 160, 7999, VV_TIME_NEXT) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(says(vv_last_error(), "7999 Hz; expected 8000 to 192000"));
    EXPECT(vv_stage_send_agent_audio(stage, 5, samples, 160, kRate, VV_TIME_NEXT) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_send_agent_audio(nullptr, head, samples, 160, kRate, 0) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_send_agent_audio(stage, head, samples, 0, kRate, 0) == VV_ERROR_INVALID_ARGUMENT);
    samples[3] = NAN;
    EXPECT(vv_stage_send_agent_audio(stage, head, samples, 160, kRate, VV_TIME_NEXT) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(says(vv_last_error(), "value 3 of 160 is nan"));
    samples[3] = 32767;
    EXPECT(vv_stage_send_user_audio(stage, head, samples, 160, kRate, VV_TIME_NEXT) == VV_ERROR_INVALID_ARGUMENT);
    face[54] = INFINITY;
    EXPECT(vv_stage_send_user_face(stage, head, face, VV_TIME_NEXT) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_set_dial(stage, head, "joy", 1) == VV_ERROR_INVALID_ARGUMENT && says(vv_last_error(), "\"joy\""));
    EXPECT(vv_stage_set_dial(stage, head, "emotion.joy", 3) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_set_dial(stage, head, "emotion.joy", NAN) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_open_head(stage, "", nullptr) == -VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_open_head(stage, "a name that is too long", nullptr) == -VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_read_audio(stage, head, virtual_ns, samples, 160, 100, nullptr) == VV_ERROR_INVALID_ARGUMENT);
    EXPECT(vv_stage_sample(stage, head, virtual_ns, nullptr) == VV_ERROR_INVALID_ARGUMENT);
    vv_stage_config config;
    vv_default_stage_config(&config, sizeof config);
    config.ease_ns = 0;
    vv_stage* none = nullptr;
    EXPECT(vv_stage_create(engine, &config, &none) == VV_ERROR_INVALID_ARGUMENT && none == nullptr);
    EXPECT(says(vv_last_error(), "ease_ns"));

    // What is refused later is in the log, and the head lives on.
    const std::vector<float> minute = voice(60, 0.05);
    EXPECT(vv_stage_set_dial(stage, head, "jawOpen.min", 0.9) == VV_OK);
    EXPECT(vv_stage_set_dial(stage, head, "jawOpen.max", 0.1) == VV_OK);
    tick(stage, 100);
    char line[600];
    std::int32_t level = -1;
    EXPECT(vv_stage_next_log(stage, &level, line, sizeof line) == 1 && level == VV_LOG_ERROR);
    EXPECT(says(line, "head \"npc\": refused: ") && vv_stage_next_log(stage, nullptr, line, sizeof line) == 0);
    EXPECT(stats(stage, -1).refused == 1);
    int n_taken = 0;
    while (vv_stage_send_agent_audio(stage, head, minute.data(), 160000, kRate, VV_TIME_NEXT) == VV_OK) ++n_taken;
    EXPECT(n_taken == 6 && says(vv_last_error(), "config.input_bytes") && stats(stage, -1).unsent == 1);
    EXPECT(vv_stage_cancel(stage, head, VV_TIME_NEXT) == VV_OK);  // there is always room for that
    tick(stage, 2000);
    EXPECT(!(sample(stage, head).state & (VV_FACE_NEUTRAL | VV_FACE_SPEAKING)));
    EXPECT(vv_stage_tick(stage, 0) == VV_OK);
    vv_stage_destroy(stage);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    vv_model* model = nullptr;
    vv_engine* engine = nullptr;
    EXPECT(vv_abi_matches(VV_ABI_VERSION) && vv_struct_size(VV_STRUCT_FACE) == sizeof(vv_face));
    EXPECT(vv_struct_size(VV_STRUCT_STAGE_CONFIG) == sizeof(vv_stage_config) && vv_struct_size(99) == 0);
    EXPECT(vv_struct_size(VV_STRUCT_STAGE_STATS) == sizeof(vv_stage_stats));
    EXPECT(vv_model_load(argv[1], &model) == VV_OK);
    EXPECT(vv_engine_create(model, nullptr, &engine) == VV_OK);
    shows_what_a_session_gives(engine);
    hears_the_microphone_in_time(engine);
    stops_when_interrupted(engine);
    eases_to_neutral(engine);
    spreads_the_work(engine);
    shows_an_actor(engine);
    keeps_to_its_budget(engine);
    refuses_what_cannot_be(engine);
    vv_engine_destroy(engine);
    vv_model_destroy(model);
    std::puts("ok");
    return 0;
}
