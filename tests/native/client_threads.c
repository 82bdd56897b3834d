/* client_threads ENDPOINT SECONDS: all that a game's threads may do at once to one client, for sanitizers; counts what
 * the calls of a frame allocate.  Prints one line of JSON. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "visavis/client.h"

static vvc_client* g_client;
static int32_t g_head;
static int64_t g_until_ns;
static __thread int g_counting;
static long g_allocations, g_blocks;

/* The client's memory comes through the hooks: counted where a thread is inside a call of the frame path. */
static void* allocate(void* user, size_t n_bytes, size_t alignment) {
    void* block = NULL;
    (void)user;
    if (g_counting) __atomic_add_fetch(&g_allocations, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&g_blocks, 1, __ATOMIC_RELAXED);
    return posix_memalign(&block, alignment, n_bytes) == 0 ? block : NULL;
}

static void release(void* user, void* block) {
    (void)user;
    __atomic_add_fetch(&g_blocks, -1, __ATOMIC_RELAXED);
    free(block);
}

static void pause_ms(int ms) {
    const struct timespec time = {0, ms * 1000000L};
    nanosleep(&time, NULL);
}

static void* sample(void* result) {
    vvc_frame frame;
    long n_live = 0;
    frame.struct_size = (uint32_t)sizeof(frame);
    while (vvc_now() < g_until_ns) {
        g_counting = 1;
        if (vvc_sample(g_client, g_head, vvc_now(), &frame) == VVC_OK) n_live += (frame.state & VVC_NEUTRAL) == 0;
        vvc_sample_at(g_client, g_head, frame.session_ns, &frame);
        g_counting = 0;
    }
    *(long*)result = n_live;
    return NULL;
}

static void* listen(void* result) {
    float samples[480];
    long n_voiced = 0;
    vvc_audio audio;
    audio.struct_size = (uint32_t)sizeof(audio);
    while (vvc_now() < g_until_ns) {
        g_counting = 1;
        if (vvc_read_audio(g_client, g_head, vvc_now(), samples, 480, 48000, &audio) == VVC_OK)
            n_voiced += audio.n_voiced;
        g_counting = 0;
        pause_ms(2);
    }
    *(long*)result = n_voiced;
    return NULL;
}

static void* speak(void* result) {
    float samples[320] = {0}, face[55] = {0};
    long n_sent = 0;
    while (vvc_now() < g_until_ns) {
        g_counting = 1;
        n_sent += vvc_send_user_audio(g_client, g_head, samples, 320, 16000, VVC_TIME_NEXT) == VVC_OK;
        n_sent += vvc_send_user_face(g_client, g_head, face, VVC_TIME_NEXT) == VVC_OK;
        n_sent += vvc_send_agent_audio(g_client, g_head, samples, 100, 16000, VVC_TIME_NEXT) == VVC_OK;
        g_counting = 0;
        pause_ms(3);
    }
    *(long*)result = n_sent;
    return NULL;
}

static void* look(void* result) {
    long n_done = 0;
    while (vvc_now() < g_until_ns) {
        char text[600], name[16];
        vvc_stats stats;
        stats.struct_size = (uint32_t)sizeof(stats);
        vvc_get_stats(g_client, g_head, &stats);
        vvc_status_text(g_client, g_head, text, sizeof(text));
        vvc_list_heads(g_client, text, sizeof(text));
        while (vvc_next_log(g_client, NULL, text, sizeof(text))) ++n_done;
        snprintf(name, sizeof(name), "head%ld", n_done % 20);
        vvc_unfollow(g_client, vvc_follow(g_client, name));
        const int64_t request = vvc_set_dial(g_client, g_head, "temperature", 1.0);
        pause_ms(5);
        if (request > 0) vvc_get_reply(g_client, request, text, sizeof(text));
        if (n_done++ % 50 == 49) vvc_cancel(g_client, g_head, VVC_TIME_NEXT);
        vvc_session_time(g_client, g_head, vvc_now());
    }
    *(long*)result = n_done;
    return NULL;
}

int main(int argc, char** argv) {
    void* (*const bodies[])(void*) = {sample, sample, listen, speak, speak, look, look};
    enum { N = sizeof(bodies) / sizeof(bodies[0]) };
    pthread_t threads[N];
    long results[N] = {0};
    vvc_options options;
    if (argc != 3) return 2;
    vvc_default_options(&options, (uint32_t)sizeof(options));
    options.allocate = allocate;
    options.release = release;
    if (vvc_open(argv[1], &options, &g_client) != VVC_OK) return fprintf(stderr, "%s\n", vvc_last_error()), 1;
    g_head = vvc_follow(g_client, "npc");
    g_until_ns = vvc_now() + (int64_t)(atof(argv[2]) * 1e9);
    for (int i = 0; i < N; ++i) pthread_create(&threads[i], NULL, bodies[i], &results[i]);
    for (int i = 0; i < N; ++i) pthread_join(threads[i], NULL);
    vvc_stats stats;
    stats.struct_size = (uint32_t)sizeof(stats);
    vvc_get_stats(g_client, g_head, &stats);
    vvc_close(g_client);
    printf(
        "{\"live\": %ld, \"voiced\": %ld, \"sent\": %ld, \"looked\": %ld, \"frames\": %llu, \"allocations\": %ld, "
        "\"blocks_left\": %ld}\n",
        results[0] + results[1], results[2], results[3] + results[4], results[5] + results[6],
        (unsigned long long)stats.frames, g_allocations, g_blocks);
    return 0;
}
