/* The native client measured, for client_transport.py.  Prints one line of JSON.
 *
 *   client_transport sample                                 vvc_sample on its own: nanoseconds
 *   client_transport idle ENDPOINT N_HEADS SECONDS          processor time of the client's thread
 *   client_transport first ENDPOINT SECONDS                 when the first frame is sampled, again and again
 *   client_transport race ENDPOINT N_HEADS SECONDS LIBZMQ   publish to sampled, beside libzmq in the same process
 *
 * Frames carry their publish time: yaw the milliseconds (modulo 4096), pitch the microseconds. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "visavis/client.h"

enum { MAX_HEADS = 128, MAX_RESULTS = 1 << 20, POLL_US = 250 };

static vvc_client* g_client;
static int32_t g_heads[MAX_HEADS];
static int g_n_heads;
static double g_ours[MAX_RESULTS], g_theirs[MAX_RESULTS];
static int64_t g_received[MAX_HEADS], g_stamp_us[MAX_HEADS]; /* libzmq's: frames and the newest's publish time */
static volatile int g_stop;

static void pause_us(long us) {
    const struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static int by_size(const void* a, const void* b) {
    const double x = *(const double*)a, y = *(const double*)b;
    return (x > y) - (x < y);
}

static void print_percentiles(const char* name, double* values, size_t n) {
    qsort(values, n, sizeof(*values), by_size);
    if (n == 0) n = 1;
    printf("\"%s\": {\"n\": %zu, \"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name, n, values[n / 2],
           values[n * 99 / 100], values[n - 1]);
}

static double processor_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double age_us(int64_t stamp_us) {
    const int64_t age = (vvc_now() / 1000 - stamp_us) % 4096000;
    return (double)(age < 0 ? age + 4096000 : age);
}

static int follow(const char* endpoint, int n_heads) {
    g_n_heads = n_heads;
    if (vvc_open(endpoint, NULL, &g_client) != VVC_OK) return fprintf(stderr, "%s\n", vvc_last_error()), 0;
    for (int i = 0; i < n_heads; ++i) {
        char name[16];
        snprintf(name, sizeof(name), "head%03d", i);
        g_heads[i] = vvc_follow(g_client, name);
    }
    return 1;
}

static uint64_t n_frames(int head) {
    vvc_stats stats;
    stats.struct_size = (uint32_t)sizeof(stats);
    vvc_get_stats(g_client, g_heads[head], &stats);
    return stats.frames;
}

/* ---- sample ---- */

static void feed_frame(int k) {
    unsigned char message[80 + 220] = "VVM1head000";
    const uint64_t hash = UINT64_C(0xc4f7f0cac81cd3c2), number = (uint64_t)k, time_ns = (uint64_t)k * 40000000;
    message[20] = 80;
    message[22] = 1;
    memcpy(message + 24, &hash, 8); /* this benchmark runs on little-endian machines */
    memcpy(message + 32, &number, 8);
    memcpy(message + 40, &number, 8);
    memcpy(message + 48, &time_ns, 8);
    memcpy(message + 56, &time_ns, 8);
    message[64] = 1;
    message[68] = 1;
    message[70] = 55;
    message[72] = 1;
    message[76] = 25;
    for (int i = 0; i < 55; ++i) {
        const float value = (float)((k + i) % 10) * 0.1f;
        memcpy(message + 80 + 4 * i, &value, 4);
    }
    vvc_feed(g_client, VVC_LINK_MESSAGE, message, sizeof(message), (int64_t)k * 40000000);
}

static int measure_sample(void) {
    vvc_options options;
    vvc_frame frame;
    size_t n = 0;
    vvc_default_options(&options, (uint32_t)sizeof(options));
    options.flags = VVC_MANUAL;
    if (vvc_open("manual", &options, &g_client) != VVC_OK) return 1;
    g_heads[0] = vvc_follow(g_client, "head000");
    frame.struct_size = (uint32_t)sizeof(frame);
    for (int k = 0; k < 20000; ++k) {
        feed_frame(k);
        for (int i = 0; i < 10; ++i) { /* 64 calls a reading: the clock itself takes 20 ns */
            const int64_t begin_ns = vvc_now(), at_ns = (int64_t)k * 40000000 + i * 4000000;
            for (int call = 0; call < 64; ++call) vvc_sample(g_client, g_heads[0], at_ns + call * 60000, &frame);
            g_ours[n++] = (double)(vvc_now() - begin_ns) / 64.0;
        }
    }
    printf("{");
    print_percentiles("sample_ns", g_ours, n);
    printf("}\n");
    return 0;
}

/* ---- idle, first ---- */

static int measure_idle(double seconds) {
    pause_us(2000000);
    uint64_t frames = 0;
    for (int i = 0; i < g_n_heads; ++i) frames -= n_frames(i);
    const double begin_s = processor_s();
    pause_us((long)(seconds * 1e6));
    const double used_s = processor_s() - begin_s;
    for (int i = 0; i < g_n_heads; ++i) frames += n_frames(i);
    printf("{\"frames_a_second\": %.0f, \"core_percent\": %.2f}\n", (double)frames / seconds, 100 * used_s / seconds);
    return 0;
}

static int measure_first(double seconds) {
    const int64_t until_ns = vvc_now() + (int64_t)(seconds * 1e9);
    vvc_frame frame;
    uint32_t epoch = 0;
    frame.struct_size = (uint32_t)sizeof(frame);
    while (vvc_now() < until_ns) {
        vvc_sample(g_client, g_heads[0], vvc_now(), &frame);
        if ((frame.state & VVC_NEUTRAL) == 0 && frame.epoch != epoch) {
            epoch = frame.epoch;
            printf("{\"epoch\": %lu, \"sampled_ns\": %lld}\n", (unsigned long)epoch, (long long)vvc_now());
            fflush(stdout);
        }
        pause_us(1000);
    }
    return 0;
}

/* ---- race ---- */

typedef struct zmq_calls {
    void* (*ctx_new)(void);
    void* (*socket)(void*, int);
    int (*setsockopt)(void*, int, const void*, size_t);
    int (*connect)(void*, const char*);
    int (*recv)(void*, void*, size_t, int);
    const char* endpoint;
} zmq_calls;

static void find(void* library, const char* name, void* call) {
    void* found = dlsym(library, name);
    if (found == NULL) exit(fprintf(stderr, "libzmq has no %s\n", name));
    memcpy(call, &found, sizeof(found));
}

static void* run_libzmq(void* pointer) {
    const zmq_calls* zmq = pointer;
    void* socket = zmq->socket(zmq->ctx_new(), 2); /* ZMQ_SUB */
    const int timeout_ms = 200;
    unsigned char message[1024];
    zmq->setsockopt(socket, 6, "VVM1", 4);                        /* ZMQ_SUBSCRIBE */
    zmq->setsockopt(socket, 27, &timeout_ms, sizeof(timeout_ms)); /* ZMQ_RCVTIMEO */
    zmq->connect(socket, zmq->endpoint);
    while (!g_stop) {
        if (zmq->recv(socket, message, sizeof(message), 0) < 300) continue;
        const int head = atoi((const char*)message + 8);
        float yaw, pitch;
        memcpy(&yaw, message + 80 + 4 * 52, 4);
        memcpy(&pitch, message + 80 + 4 * 53, 4);
        if (head < 0 || head >= MAX_HEADS) continue;
        __atomic_store_n(&g_stamp_us[head], (int64_t)yaw * 1000 + (int64_t)pitch, __ATOMIC_RELEASE);
        __atomic_add_fetch(&g_received[head], 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* The newest frame of ours, exactly: a seek there and back leaves no fade in it. */
static int64_t our_stamp_us(int head) {
    vvc_frame frame;
    frame.struct_size = (uint32_t)sizeof(frame);
    vvc_sample_at(g_client, g_heads[head], INT64_C(1) << 50, &frame);
    vvc_sample_at(g_client, g_heads[head], frame.frame * 40000000, &frame);
    return (int64_t)frame.yaw * 1000 + (int64_t)frame.pitch;
}

static int measure_race(double seconds, const char* path) {
    static uint64_t seen[MAX_HEADS];
    static int64_t seen_zmq[MAX_HEADS];
    size_t n_ours = 0, n_theirs = 0;
    zmq_calls zmq;
    pthread_t thread;
    void* library = dlopen(path, RTLD_NOW);
    if (library == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
    find(library, "zmq_ctx_new", &zmq.ctx_new);
    find(library, "zmq_socket", &zmq.socket);
    find(library, "zmq_setsockopt", &zmq.setsockopt);
    find(library, "zmq_connect", &zmq.connect);
    find(library, "zmq_recv", &zmq.recv);
    zmq.endpoint = getenv("ENDPOINT");
    pthread_create(&thread, NULL, run_libzmq, &zmq);
    const int64_t begin_ns = vvc_now();
    while (vvc_now() < begin_ns + (int64_t)(seconds * 1e9)) {
        const int warm = vvc_now() > begin_ns + INT64_C(3000000000);
        for (int i = 0; i < g_n_heads; ++i) {
            const int64_t received = __atomic_load_n(&g_received[i], __ATOMIC_ACQUIRE);
            if (received != seen_zmq[i] && warm) {
                g_theirs[n_theirs++] = age_us(__atomic_load_n(&g_stamp_us[i], __ATOMIC_ACQUIRE));
            }
            seen_zmq[i] = received;
            const uint64_t frames = n_frames(i);
            if (frames != seen[i] && warm) g_ours[n_ours++] = age_us(our_stamp_us(i));
            seen[i] = frames;
        }
        pause_us(POLL_US);
    }
    g_stop = 1;
    pthread_join(thread, NULL);
    printf("{");
    print_percentiles("client_us", g_ours, n_ours);
    printf(", ");
    print_percentiles("libzmq_us", g_theirs, n_theirs);
    printf("}\n");
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 2 && strcmp(argv[1], "sample") == 0) return measure_sample();
    if (argc < 4 || !follow(argv[2], argc == 4 ? 1 : atoi(argv[3]))) return 2;
    if (strcmp(argv[1], "first") == 0) return measure_first(atof(argv[3]));
    if (argc == 5) return measure_idle(atof(argv[4]));
    return measure_race(atof(argv[4]), argv[5]);
}
