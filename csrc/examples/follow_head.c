/* Follows a head of a running server and prints its face ten times a second, as a game's loop would read it.
 *
 *   cc -std=c99 follow_head.c -lvisavis_client -o follow_head
 *   ./follow_head tcp://127.0.0.1:5570 npc 10
 */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <stdio.h>
#include <stdlib.h>

#include "visavis/client.h"

#if defined(_WIN32)
#include <windows.h>
static void wait_ms(int ms) { Sleep((DWORD)ms); }
#else
#include <time.h>
static void wait_ms(int ms) {
    const struct timespec time = {0, ms * 1000000L};
    nanosleep(&time, NULL);
}
#endif

enum { JAW_OPEN = 17, SMILE_LEFT = 23, TICK_MS = 16, LINE_TICKS = 6, N_SAMPLES = 768 };

static void print_log(vvc_client* client) {
    int32_t level = 0;
    char line[256];
    while (vvc_next_log(client, &level, line, sizeof(line))) printf("# %s\n", line);
}

static void print_line(vvc_client* client, int32_t head, const vvc_frame* frame, float loudest) {
    char status[512];
    if ((frame->state & VVC_NEUTRAL) != 0) {
        vvc_status_text(client, head, status, sizeof(status));
        printf("%s\n", status);
        return;
    }
    printf("%8.3f s  %s  jaw %.2f  smile %.2f  yaw %+.2f  voice %.2f  (shown %.0f ms after its clock)\n",
           (double)frame->session_ns * 1e-9, (frame->state & VVC_SPEAKING) != 0 ? "speaks " : "listens",
           frame->shapes[JAW_OPEN], frame->shapes[SMILE_LEFT], frame->yaw, loudest, (double)frame->delay_ns * 1e-6);
}

int main(int argc, char** argv) {
    const char* endpoint = argc > 1 ? argv[1] : "tcp://127.0.0.1:5570";
    const int n_ticks = (argc > 3 ? atoi(argv[3]) : 10) * 1000 / TICK_MS;
    vvc_client* client = NULL;
    vvc_frame frame;
    float voice[N_SAMPLES];
    if (!vvc_abi_matches(VVC_ABI_VERSION)) return fprintf(stderr, "libvisavis_client is of another version\n"), 1;
    if (vvc_open(endpoint, NULL, &client) != VVC_OK) return fprintf(stderr, "%s\n", vvc_last_error()), 1;
    const int32_t head = vvc_follow(client, argc > 2 ? argv[2] : "npc");
    if (head < 0) return fprintf(stderr, "%s\n", vvc_last_error()), 1;
    frame.struct_size = (uint32_t)sizeof(frame);
    for (int tick = 0; tick < n_ticks; ++tick) {
        float loudest = 0.0f;
        vvc_read_audio(client, head, vvc_now(), voice, N_SAMPLES, 48000, NULL); /* a game: on its audio thread */
        for (int i = 0; i < N_SAMPLES; ++i) loudest = voice[i] > loudest ? voice[i] : loudest;
        vvc_sample(client, head, vvc_now(), &frame);
        if (tick % LINE_TICKS == 0) print_line(client, head, &frame, loudest);
        print_log(client);
        fflush(stdout);
        wait_ms(TICK_MS);
    }
    vvc_close(client);
    return 0;
}
