/* Animates a character from two WAV files (16 bits, mono) in real time, as a game would: its own voice and the player's
 * go in, its face comes out, a line a tick: seconds, speaking, 52 weights, yaw, pitch, roll.
 *
 *   cc -std=c99 animate_pair.c -lvisavis; ./a.out default.gguf agent.wav user.wav                       # in process
 *   cc -std=c99 -DWITH_CLIENT animate_pair.c -lvisavis_client; ./a.out tcp://127.0.0.1:5570 agent.wav user.wav
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(_WIN32)
#include <windows.h>
#define WAIT_MS(ms) Sleep(ms)
#else
#include <time.h>
#define WAIT_MS(ms) nanosleep(&(struct timespec){0, (ms) * 1000000L}, NULL)
#endif
#if defined(WITH_CLIENT)
#include "visavis/client.h"
#define V(name) vvc_##name /* the calls of the stream client ... */
#define close_source vvc_close
#define last_error vvc_last_error
#define now vvc_now
typedef vvc_client source;
typedef vvc_frame face;
static source* open_source(const char* endpoint) {
    source* opened = NULL;
    return vvc_open(endpoint, NULL, &opened) == VVC_OK ? opened : NULL;
}
#else
#include "visavis/visavis.h"
#define V(name) vv_stage_##name /* ... and those of the stage are the same */
#define close_source vv_stage_destroy
#define last_error vv_last_error
#define now vv_now
typedef vv_stage source;
typedef vv_face face;
static source* open_source(const char* path) {
    vv_model* model = NULL;
    vv_engine* engine = NULL;
    source* opened = NULL;
    if (vv_model_load(path, &model) == VV_OK && vv_engine_create(model, NULL, &engine) == VV_OK)
        vv_stage_create(engine, NULL, &opened);
    vv_engine_destroy(engine); /* the stage keeps what it needs */
    vv_model_destroy(model);
    return opened;
}
#endif

typedef struct voice { /* of a file: its samples, and how many have been sent */
    float* samples;
    uint32_t n, sent, rate;
} voice;
static int read_wav(const char* path, voice* to) {
    unsigned char head[44], s[2];
    FILE* file = fopen(path, "rb");
    if (file == NULL || fread(head, 1, 44, file) != 44 || memcmp(head + 8, "WAVEfmt ", 8) != 0 || head[20] != 1 ||
        head[22] != 1 || head[34] != 16) /* PCM, one channel, 16 bits */
        return 0;
    to->rate = head[24] | (uint32_t)head[25] << 8 | (uint32_t)head[26] << 16;
    const uint32_t most = 600 * to->rate;
    if ((to->samples = malloc(most * sizeof(float))) == NULL) return 0;
    while (to->n < most && fread(s, 1, 2, file) == 2)
        to->samples[to->n++] = (float)(int16_t)(s[0] | s[1] << 8) / 32768.0f;
    return fclose(file) == 0;
}
/* Where in `from` lie the samples that are to be sent next, so that `ms` of the voice are there; and how many. */
static const float* take(voice* from, int64_t ms, uint32_t* n) {
    const uint32_t first = from->sent, end = (uint32_t)(ms * from->rate / 1000);
    from->sent = end < from->n ? end : from->n;
    *n = from->sent - first;
    return from->samples + first;
}
int main(int argc, char** argv) {
    voice agent = {0}, user = {0};
    face shown = {.struct_size = sizeof(shown)};
    char text[600];
    if (argc < 4 || !read_wav(argv[2], &agent) || !read_wav(argv[3], &user))
        return fputs("see the source\n", stderr), 2;
    source* opened = open_source(argv[1]);
    if (opened == NULL) return fprintf(stderr, "%s\n", last_error()), 1;
    V(open_head)(opened, "npc", NULL);
    const int32_t npc = V(follow)(opened, "npc");
    for (int64_t begin = now(), ms = 0; user.sent < user.n; ms = (now() - begin) / 1000000) {
        uint32_t n = 0;
        const float* samples = take(&agent, ms + 500, &n); /* synthetic speech is known ahead */
        if (n > 0) V(send_agent_audio)(opened, npc, samples, n, agent.rate, INT64_MIN /* behind what was sent */);
        samples = take(&user, ms, &n);
        if (n > 0) V(send_user_audio)(opened, npc, samples, n, user.rate, INT64_MIN);
        V(sample)(opened, npc, now(), &shown);
        printf("%.3f,%u", (double)shown.session_ns * 1e-9, (unsigned)shown.state & 1u);
        for (int i = 0; i < 52; ++i) printf(",%.4f", shown.shapes[i]);
        printf(",%.4f,%.4f,%.4f\n", shown.yaw, shown.pitch, shown.roll);
        WAIT_MS(16);
    }
    V(status_text)(opened, npc, text, sizeof(text));
    close_source(opened);
    return fprintf(stderr, "%s\n", text), 0;
}
