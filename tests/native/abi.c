/* The C ABI from C: the example of visavis.h on a small model, its errors, and its promises.
 * usage: abi MODEL.gguf     prints what went wrong and returns 1, or prints "ok". */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "visavis/visavis.h"

enum { C = 55, RATE = 24000, N = 3 * RATE };

static int n_logged[2];
static int n_blocks;
static vv_session* busy; /* a session that is called again from within one of its own calls */
static vv_status second_caller;
static float voice[N], other[N];

#define CHECK(condition)                                                                              \
    do {                                                                                              \
        if (!(condition)) {                                                                           \
            fprintf(stderr, "line %d: %s (last error: %s)\n", __LINE__, #condition, vv_last_error()); \
            exit(1);                                                                                  \
        }                                                                                             \
    } while (0)
#define OK(call) CHECK((call) == VV_OK)
#define FAILS(call, status, text) CHECK((call) == (status) && strstr(vv_last_error(), text))

static void count_log(void* user, vv_log_level level, const char* message) {
    CHECK(user == &n_logged && message[0] != 0);
    ++n_logged[level];
}

static void* allocate(void* user, size_t n_bytes, size_t alignment) {
    void* block = aligned_alloc(alignment < 64 ? 64 : alignment, (n_bytes + 63) / 64 * 64);
    *(int*)user += block != NULL;
    if (busy) second_caller = vv_session_end(busy);
    return block;
}

static void release(void* user, void* block) {
    --*(int*)user;
    free(block);
}

/* A whole conversation; returns the sum of all values, each weighed by its place. */
static double talk(vv_engine* engine, size_t chunk, int64_t* n_frames) {
    vv_session* session = NULL;
    vv_session_config config = vv_session_config_default();
    config.seed = 7;
    OK(vv_session_create(engine, &config, &session));
    for (size_t at = 0; at < N; at += chunk) {
        size_t n = at + chunk < N ? chunk : N - at;
        int64_t start = -1;
        OK(vv_session_push_agent_audio(session, voice + at, n, RATE, VV_TIME_NEXT, &start));
        CHECK(start == (int64_t)(at * 1000000000ull / RATE));
        OK(vv_session_push_user_audio(session, other + at, n, RATE, VV_TIME_NEXT, NULL));
    }
    OK(vv_session_end(session));
    vv_frame frames[7];
    float values[7 * C];
    size_t n = 0;
    double sum = 0;
    *n_frames = 0;
    do {
        OK(vv_session_poll(session, frames, values, 7, &n));
        for (size_t i = 0; i < n; ++i) {
            CHECK(frames[i].index == *n_frames && frames[i].time_ns == *n_frames * 40000000);
            CHECK(frames[i].state == VV_FRAME_SPEAKING);
            ++*n_frames;
            for (int c = 0; c < C; ++c) sum += values[i * C + (size_t)c] * (c + 1) * (double)*n_frames;
        }
    } while (n > 0);
    vv_session_stats stats = {0};
    stats.struct_size = sizeof stats;
    OK(vv_session_get_stats(session, &stats));
    CHECK(stats.turns == 15 && stats.frames == 75 && stats.agent.pushed >= 48000 && stats.user.late == 0);
    CHECK(stats.speech_ns > 0 && stats.backbone_ns > 0 && stats.denoise_ns > 0);
    vv_session_destroy(session);
    return sum;
}

static void check_model(const vv_model* model) {
    vv_model_info info;
    memset(&info, 0xAA, sizeof info);
    info.struct_size = 8; /* a caller with an older header */
    OK(vv_model_describe(model, &info));
    CHECK(info.n_channels == C && info.turn_frames == (int32_t)0xAAAAAAAA);
    info.struct_size = sizeof info;
    OK(vv_model_describe(model, &info));
    CHECK(info.turn_frames == 5 && info.user_lag_frames == 7 && info.agent_lookahead_frames == 2 && info.steps >= 2);
    CHECK(strcmp(info.channels[17], "jawOpen") == 0 && strcmp(info.units[17], "1") == 0);
    CHECK(strcmp(info.channels[52], "headYaw") == 0 && strcmp(info.units[52], "rad") == 0);
    CHECK(strcmp(info.name, "small") == 0);
    info.struct_size = 0;
    FAILS(vv_model_describe(model, &info), VV_ERROR_INVALID_ARGUMENT, "struct_size is 0");
}

static void check_dials(vv_session* session) {
    vv_dial dial;
    dial.struct_size = (uint32_t)sizeof(dial);
    const size_t n = vv_session_n_dials(session);
    CHECK(n > 4 * C && vv_session_n_dials(NULL) == 0);
    OK(vv_session_get_dial(session, 0, &dial));
    CHECK(strcmp(dial.name, "style.nods") == 0 && dial.low == -1 && dial.high == 1 && dial.standard == 0);
    OK(vv_session_set_dial(session, "style.nods", -0.5));
    OK(vv_session_get_dial(session, 0, &dial));
    CHECK(dial.value == -0.5);
    FAILS(vv_session_set_dial(session, "style.cheer", 0), VV_ERROR_INVALID_ARGUMENT, "the model's styles: style.nods");
    OK(vv_session_get_dial(session, 1, &dial));
    CHECK(strcmp(dial.name, "speaking.mouth") == 0 && dial.meaning[0] && dial.low == 0 && dial.high == 2);
    CHECK(dial.standard == 1 && dial.value == 1 && dial.struct_size == sizeof(dial));
    OK(vv_session_set_dial(session, "speaking.mouth", 0.5));
    OK(vv_session_get_dial(session, 1, &dial));
    CHECK(dial.value == 0.5);
    OK(vv_session_set_dial(session, "speaking.mouth", 1));
    FAILS(vv_session_get_dial(session, n, &dial), VV_ERROR_INVALID_ARGUMENT, "was asked for");
    FAILS(vv_session_get_dial(session, 0, NULL), VV_ERROR_INVALID_ARGUMENT, "dial is NULL");
    FAILS(vv_session_set_dial(session, NULL, 1), VV_ERROR_INVALID_ARGUMENT, "name is NULL");
    FAILS(vv_session_set_dial(session, "mouth", 1), VV_ERROR_INVALID_ARGUMENT, "known: style.nods, speaking.mouth");
    FAILS(vv_session_set_dial(session, "speaking.mouth", NAN), VV_ERROR_INVALID_ARGUMENT, "expected 0 to 2");
}

static int64_t slow_clock(void* now) { return *(int64_t*)now += 70000000; } /* each look at it takes 70 ms */

static void check_clock(vv_engine* engine) {
    vv_session* session = NULL;
    vv_session_config config = vv_session_config_default();
    int64_t clock_ns = 0;
    config.late = 3;
    FAILS(vv_session_create(engine, &config, &session), VV_ERROR_INVALID_ARGUMENT, "late is 3");
    config.late = VV_LATE_FEWER_STEPS;
    config.clock = slow_clock;
    config.clock_user = &clock_ns;
    OK(vv_session_create(engine, &config, &session));
    OK(vv_session_advance(session, 0));
    OK(vv_session_advance(session, 160000000));
    vv_turn turns[4];
    size_t n = 0;
    FAILS(vv_session_poll_turns(session, NULL, 1, &n), VV_ERROR_INVALID_ARGUMENT, "turns is NULL");
    OK(vv_session_poll_turns(session, turns, 4, &n));
    CHECK(n == 2 && turns[1].turn == 1 && turns[1].skipped_turns == 0 && turns[1].due_ns == 160000000);
    CHECK(turns[1].begin_ns == 230000000 && turns[1].end_ns == 300000000 && turns[1].action == VV_TURN_FEWER_STEPS);
    CHECK(turns[0].steps > turns[1].steps && turns[1].steps >= 1 && turns[1].dropped_frames == 2);
    CHECK(turns[0].denoise_ns > 0);
    vv_session_stats stats = {0};
    stats.struct_size = sizeof stats;
    OK(vv_session_get_stats(session, &stats));
    CHECK(stats.late_turns == 2 && stats.fewer_steps_turns == 2 && stats.dropped_frames == 2 + turns[0].dropped_frames);
    OK(vv_session_poll_turns(session, turns, 4, &n));
    CHECK(n == 0);
    vv_session_destroy(session);
}

static void check_errors(vv_model* model, vv_engine* engine, const char* path) {
    vv_model* none = NULL;
    vv_engine* no_engine = NULL;
    vv_session* session = NULL;
    FAILS(vv_model_load("nowhere.gguf", &none), VV_ERROR_FILE, "nowhere.gguf");
    FAILS(vv_model_load(NULL, &none), VV_ERROR_INVALID_ARGUMENT, "path is NULL");
    FAILS(vv_model_load(path, NULL), VV_ERROR_INVALID_ARGUMENT, "model is NULL");
    FAILS(vv_model_load_memory("GGUFnot a model", 15, &none), VV_ERROR_MODEL_FILE, "memory");
    CHECK(none == NULL);
    vv_engine_config engine_config = vv_engine_config_default();
    engine_config.sampler = 9;
    FAILS(vv_engine_create(model, &engine_config, &no_engine), VV_ERROR_INVALID_ARGUMENT, "sampler is 9");
    engine_config = vv_engine_config_default();
    engine_config.struct_size = 1;
    FAILS(vv_engine_create(model, &engine_config, &no_engine), VV_ERROR_INVALID_ARGUMENT, "struct_size is 1");
    CHECK(no_engine == NULL);
    vv_session_config config = vv_session_config_default();
    config.temperature = NAN;
    FAILS(vv_session_create(engine, &config, &session), VV_ERROR_INVALID_ARGUMENT, "temperature is nan");
    CHECK(session == NULL);

    OK(vv_session_create(engine, NULL, &session));
    float bad[3] = {0, NAN, 0};
    vv_frame frame;
    float values[C];
    size_t n = 99;
    FAILS(vv_session_push_user_audio(session, bad, 3, RATE, VV_TIME_NEXT, NULL), VV_ERROR_INVALID_ARGUMENT,
          "sample 1 of 3");
    FAILS(vv_session_push_user_audio(session, bad, 0, RATE, VV_TIME_NEXT, NULL), VV_ERROR_INVALID_ARGUMENT,
          "no samples");
    FAILS(vv_session_push_user_audio(session, bad, 1, 0xFFFFFFFFu, VV_TIME_NEXT, NULL), VV_ERROR_INVALID_ARGUMENT,
          "Hz");
    FAILS(vv_session_push_agent_audio(session, NULL, 1, RATE, 0, NULL), VV_ERROR_INVALID_ARGUMENT, "samples is NULL");
    FAILS(vv_session_push_agent_audio(session, voice, 1, RATE, INT64_MAX, NULL), VV_ERROR_INVALID_ARGUMENT, "time");
    FAILS(vv_session_push_user_motion(session, bad, SIZE_MAX, 0, NULL), VV_ERROR_INVALID_ARGUMENT, "frames at once");
    FAILS(vv_session_push_user_motion(session, bad, 0, 0, NULL), VV_ERROR_INVALID_ARGUMENT, "0 values");
    FAILS(vv_session_poll(session, NULL, values, 1, &n), VV_ERROR_INVALID_ARGUMENT, "frames is NULL");
    FAILS(vv_session_poll(session, &frame, values, 1, NULL), VV_ERROR_INVALID_ARGUMENT, "n_frames is NULL");
    FAILS(vv_session_end(NULL), VV_ERROR_INVALID_ARGUMENT, "session is NULL");
    FAILS(vv_set_allocator(NULL), VV_ERROR_STATE, "in use");
    busy = session;
    OK(vv_session_push_user_audio(session, other, N, 11025, 0, NULL)); /* allocates: another rate */
    busy = NULL;
    CHECK(second_caller == VV_ERROR_STATE && strstr(vv_last_error(), "one caller at a time"));
    CHECK(n == 99);
    FAILS(vv_session_set_temperature(session, -1), VV_ERROR_INVALID_ARGUMENT, "temperature is -1");
    OK(vv_session_set_temperature(session, 0.5f));
    check_dials(session);
    OK(vv_session_cancel_user(session, 500000000));
    OK(vv_session_advance(session, 0));
    FAILS(vv_session_advance(session, -1), VV_ERROR_INVALID_ARGUMENT, "never goes back");
    OK(vv_session_cancel(session, 0, &n));
    CHECK(n == 5);
    OK(vv_session_poll(session, &frame, values, 1, &n));
    CHECK(n == 1 && frame.index == 0 && frame.state == (VV_FRAME_LISTENING | VV_FRAME_LATE | VV_FRAME_WITHDRAWN));
    OK(vv_session_end(session));
    FAILS(vv_session_push_user_audio(session, voice, 1, RATE, 0, NULL), VV_ERROR_STATE, "after end");
    vv_session_destroy(session);
}

static vv_model* load_from_memory(const char* path, unsigned char** bytes) {
    FILE* file = fopen(path, "rb");
    CHECK(file && fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    *bytes = malloc(size);
    CHECK(*bytes && fread(*bytes, 1, size, file) == size && fclose(file) == 0);
    vv_model* model = NULL;
    OK(vv_model_load_memory(*bytes, size, &model));
    return model;
}

int main(int argc, char** argv) {
    CHECK(argc == 2);
    CHECK(vv_abi_matches(VV_ABI_VERSION) && !vv_abi_matches(VV_ABI_VERSION + 1) && !vv_abi_matches(2u << 16));
    CHECK(strcmp(vv_last_error(), "") == 0 && strlen(vv_version()) >= 5);
    for (int status = -1; status < 10; ++status) CHECK(strlen(vv_status_text((vv_status)status)) > 0);
    for (int i = 0; i < N; ++i) {
        voice[i] = 0.3f * sinf(0.05f * (float)i) * sinf(0.0003f * (float)i + 1);
        other[i] = 0.3f * sinf(0.04f * (float)i) * cosf(0.0002f * (float)i);
    }
    vv_allocator allocator = {allocate, release, &n_blocks};
    OK(vv_set_allocator(&allocator));
    vv_set_log(count_log, &n_logged);

    vv_model* model = NULL;
    vv_engine* engine = NULL;
    OK(vv_model_load(argv[1], &model));
    CHECK(n_logged[VV_LOG_INFO] == 1 && n_logged[VV_LOG_ERROR] == 0);
    check_model(model);
    OK(vv_engine_create(model, NULL, &engine));
    int64_t n_frames = 0;
    const double whole = talk(engine, N, &n_frames);
    CHECK(n_frames == 75 && whole != 0);
    CHECK(talk(engine, 240, &n_frames) == whole && talk(engine, 1111, &n_frames) == whole);
    CHECK(n_logged[VV_LOG_ERROR] == 1); /* the describe that failed */
    check_errors(model, engine, argv[1]);
    check_clock(engine);
    CHECK(n_logged[VV_LOG_ERROR] > 10);

    unsigned char* bytes = NULL;
    vv_model* same = load_from_memory(argv[1], &bytes);
    vv_engine* second = NULL;
    OK(vv_engine_create(same, NULL, &second));
    vv_model_destroy(same);
    free(bytes);
    CHECK(talk(second, 480, &n_frames) == whole); /* the engine keeps what it needs */
    vv_session* session = NULL;
    OK(vv_session_create(second, NULL, &session));
    vv_engine_destroy(second);
    OK(vv_session_advance(session, 0)); /* and the session its engine */
    CHECK(n_blocks > 0);
    vv_session_destroy(session);
    vv_engine_destroy(engine);
    vv_model_destroy(model);
    vv_session_destroy(NULL);
    vv_engine_destroy(NULL);
    vv_model_destroy(NULL);
    CHECK(n_blocks == 0);
    OK(vv_set_allocator(NULL));
    puts("ok");
    return 0;
}
