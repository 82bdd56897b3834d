/* golden_turns MODEL AGENT.f32 USER.f32 OUT.f32 [offline]: a whole conversation at 16 kHz, offline; writes the values
 * of all frames.  Then, without `offline` (for processors that are emulated), the same model on a stage: its own thread
 * must show a live face within 20 seconds.  Prints "ok". */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "visavis/visavis.h"

#if defined(_WIN32)
#include <windows.h>
#define WAIT_MS(ms) Sleep(ms)
#else
#include <time.h>
#define WAIT_MS(ms) nanosleep(&(struct timespec){0, (ms) * 1000000L}, NULL)
#endif

enum { RATE = 16000, MOST = 60 * RATE };

static int fail(const char* what) {
    fprintf(stderr, "%s: %s\n", what, vv_last_error());
    return 1;
}

static size_t read_floats(const char* path, float* to) {
    FILE* file = fopen(path, "rb");
    const size_t n = file == NULL ? 0 : fread(to, sizeof(float), MOST, file);
    if (file != NULL) fclose(file);
    return n;
}

static int converse(vv_engine* engine, char** files) {
    static float agent[MOST], user[MOST], values[32 * 55];
    const size_t n_agent = read_floats(files[0], agent), n_user = read_floats(files[1], user);
    vv_session* session = NULL;
    vv_session_config config = vv_session_config_default();
    vv_frame frames[32];
    size_t n = 0;
    FILE* out = fopen(files[2], "wb");
    config.seed = 7;
    if (out == NULL || vv_session_create(engine, &config, &session) != VV_OK) return fail("session");
    if (vv_session_push_agent_audio(session, agent, n_agent, RATE, VV_TIME_NEXT, NULL) != VV_OK) return fail("agent");
    if (vv_session_push_user_audio(session, user, n_user, RATE, VV_TIME_NEXT, NULL) != VV_OK) return fail("user");
    if (vv_session_end(session) != VV_OK) return fail("end");
    while (vv_session_poll(session, frames, values, 32, &n) == VV_OK && n > 0)
        fwrite(values, sizeof(float) * 55, n, out);
    vv_session_destroy(session);
    return fclose(out);
}

static int perform(vv_engine* engine) {
    vv_stage* stage = NULL;
    vv_face face;
    vv_stage_config config;
    vv_default_stage_config(&config, (uint32_t)sizeof(config));
    config.max_load = 1000.0f; /* whatever else runs on the machine of a test */
    if (vv_stage_create(engine, &config, &stage) != VV_OK) return fail("stage");
    const int32_t npc = vv_stage_open_head(stage, "npc", NULL);
    memset(&face, 0, sizeof(face));
    face.struct_size = (uint32_t)sizeof(face);
    int n_live = 0;
    for (int i = 0; i < 2000 && n_live < 20; ++i) {
        if (vv_stage_sample(stage, npc, vv_now(), &face) != VV_OK) return fail("sample");
        n_live += (face.state & VV_FACE_NEUTRAL) == 0;
        WAIT_MS(10);
    }
    vv_stage_destroy(stage);
    return n_live < 20;
}

int main(int argc, char** argv) {
    vv_model* model = NULL;
    vv_engine* engine = NULL;
    if (argc < 5 || argc > 6 || !vv_abi_matches(VV_ABI_VERSION)) return 2;
    if (vv_model_load(argv[1], &model) != VV_OK || vv_engine_create(model, NULL, &engine) != VV_OK) return fail("load");
    if (converse(engine, argv + 2) != 0 || (argc == 5 && perform(engine) != 0)) return 1;
    vv_engine_destroy(engine);
    vv_model_destroy(model);
    return puts("ok") < 0;
}
