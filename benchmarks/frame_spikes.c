/* frame_spikes SOURCE SECONDS [HEADS]: a game loop of 60 Hz beside a stage (SOURCE: a model file) or, compiled with
 * WITH_CLIENT, a server (SOURCE: its endpoint): what the calls of Visavis take of the game's thread, frame by frame.
 *
 * Each frame samples all heads, sends the microphone to ten of them and, every half second, a line of synthetic speech
 * of two seconds to one; another thread reads the voices of four heads, as an audio callback does.  Prints one line of
 * JSON: wall time and processor time of the frame's calls, and processor time of its three parts; frames in which the
 * system took the processor away; the memory that the game's thread took; and, as a control, the wall time of as much
 * arithmetic without memory or calls after each frame: what the machine alone adds to any code. */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#if defined(WITH_CLIENT)
#include "visavis/client.h"
#define V(name) vvc_##name
#define now vvc_now
#define last_error vvc_last_error
#define NEUTRAL VVC_NEUTRAL
typedef vvc_client source;
typedef vvc_frame face;
#else
#include "visavis/visavis.h"
#define V(name) vv_stage_##name
#define now vv_now
#define last_error vv_last_error
#define NEUTRAL VV_FACE_NEUTRAL
typedef vv_stage source;
typedef vv_face face;
#endif

enum { MAX_HEADS = 128, LISTENERS = 10, VOICES = 4, RATE = 48000, LINE_RATE = 24000, LINE = 2 * LINE_RATE };
#define FRAME_NS INT64_C(16666667)
#define LIMIT_US 200.0

/* ---- Memory taken by this thread: every malloc of every library comes here ---- */
extern void* __libc_malloc(size_t n_bytes);
extern void* __libc_calloc(size_t n, size_t n_bytes);
extern void* __libc_realloc(void* block, size_t n_bytes);
extern void* __libc_memalign(size_t alignment, size_t n_bytes);
static __thread int g_counting;
static atomic_long g_allocations;
static void count(void) {
    if (g_counting) atomic_fetch_add(&g_allocations, 1);
}
void* malloc(size_t n_bytes) {
    count();
    return __libc_malloc(n_bytes);
}
void* calloc(size_t n, size_t n_bytes) {
    count();
    return __libc_calloc(n, n_bytes);
}
void* realloc(void* block, size_t n_bytes) {
    count();
    return __libc_realloc(block, n_bytes);
}
void* aligned_alloc(size_t alignment, size_t n_bytes) {
    count();
    return __libc_memalign(alignment, n_bytes);
}
int posix_memalign(void** block, size_t alignment, size_t n_bytes) {
    count();
    return (*block = __libc_memalign(alignment, n_bytes)) == NULL;
}

static source* g_source;
static int32_t g_heads[MAX_HEADS];
static int g_n_heads;
static atomic_int g_done;
static atomic_long g_voiced;

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sleep_until(int64_t ns) {
    const struct timespec time = {ns / 1000000000, ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static long switches(void) {
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

static source* open_source(const char* name) {
    source* opened = NULL;
#if defined(WITH_CLIENT)
    if (vvc_open(name, NULL, &opened) != VVC_OK) return NULL;
#else
    vv_model* model = NULL;
    vv_engine* engine = NULL;
    vv_stage_config config;
    vv_default_stage_config(&config, (uint32_t)sizeof(config));
    config.max_load = 1000; /* the figures say whether the machine keeps up */
    if (vv_model_load(name, &model) == VV_OK && vv_engine_create(model, NULL, &engine) == VV_OK)
        vv_stage_create(engine, &config, &opened);
    vv_engine_destroy(engine);
    vv_model_destroy(model);
#endif
    return opened;
}

static void* listen(void* nothing) {
    float block[RATE / 100];
    while (!atomic_load(&g_done)) {
        for (int i = 0; i < VOICES && i < g_n_heads; ++i) {
            V(read_audio)(g_source, g_heads[i], now(), block, RATE / 100, RATE, NULL);
            for (int k = 0; k < RATE / 100; ++k) g_voiced += block[k] > 0.01f;
        }
        sleep_until(clock_ns(CLOCK_MONOTONIC) + 10000000);
    }
    return nothing;
}

/* What a game does with Visavis in a frame, in three parts; ended_ns: when each ended, by the thread's processor time.
 * How many heads are alive. */
static int play_frame(long frame, const float* microphone, const float* line, int64_t* ended_ns) {
    face shown;
    int n_live = 0;
    shown.struct_size = (uint32_t)sizeof(shown);
    const int64_t seen_ns = now(); /* a game: when the picture will be seen */
    for (int i = 0; i < LISTENERS && i < g_n_heads; ++i)
        V(send_user_audio)(g_source, g_heads[i], microphone, RATE / 60, RATE, INT64_MIN);
    ended_ns[0] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (frame % 30 == 0)
        V(send_agent_audio)(g_source, g_heads[frame / 30 % g_n_heads], line, LINE, LINE_RATE, INT64_MIN);
    ended_ns[1] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < g_n_heads; ++i)
        if (V(sample)(g_source, g_heads[i], seen_ns, &shown) == 0) n_live += (shown.state & NEUTRAL) == 0;
    ended_ns[2] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return n_live;
}

/* About 30 us in registers alone, whatever the values are. */
static unsigned long control(unsigned long value) {
    for (int i = 0; i < 33000; ++i) value = value * 6364136223846793005ul + 1442695040888963407ul;
    return value;
}

static int by_size(const void* a, const void* b) {
    const double x = *(const double*)a, y = *(const double*)b;
    return (x > y) - (x < y);
}

static void print_times(const char* name, double* us, long n) {
    qsort(us, (size_t)n, sizeof(*us), by_size);
    long n_over = 0;
    while (n_over < n && us[n - 1 - n_over] > LIMIT_US) ++n_over;
    printf("\"%s_us\": {\"p50\": %.1f, \"p99\": %.1f, \"p99_9\": %.1f, \"max\": %.1f, \"over\": %ld}, ", name,
           us[n / 2], us[n * 99 / 100], us[n * 999 / 1000], us[n - 1], n_over);
}

/* One call, the head's memory near: means of 64. */
static void print_sample(void) {
    static double us[2000];
    face shown;
    shown.struct_size = (uint32_t)sizeof(shown);
    for (int i = 0; i < 2000; ++i) {
        const int64_t began_ns = clock_ns(CLOCK_MONOTONIC);
        for (int k = 0; k < 64; ++k) V(sample)(g_source, g_heads[0], began_ns, &shown);
        us[i] = (double)(clock_ns(CLOCK_MONOTONIC) - began_ns) * 1e-3 / 64;
    }
    qsort(us, 2000, sizeof(*us), by_size);
    printf("\"sample_us\": {\"p50\": %.3f, \"p99\": %.3f}, ", us[1000], us[1980]);
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const long n_frames = (long)(atof(argv[2]) * 60.0);
    float* microphone = calloc(RATE / 60, sizeof(float));
    float* line = calloc(LINE, sizeof(float));
    double *wall = calloc((size_t)n_frames, sizeof(double)), *processor = calloc((size_t)n_frames, sizeof(double));
    double *undisturbed = calloc((size_t)n_frames, sizeof(double)), *alone = calloc((size_t)n_frames, sizeof(double));
    double* parts[3]; /* microphones, lines of speech, samples */
    for (int part = 0; part < 3; ++part) parts[part] = calloc((size_t)n_frames, sizeof(double));
    for (int i = 0; i < RATE / 60; ++i) microphone[i] = 0.1f * sinf((float)i * 0.03f);
    for (int i = 0; i < LINE; ++i) line[i] = 0.3f * sinf((float)i * 0.05f);
    g_source = open_source(argv[1]);
    if (g_source == NULL) return fprintf(stderr, "%s\n", last_error()), 1;
    g_n_heads = argc > 3 ? atoi(argv[3]) : 100;
    for (int i = 0; i < g_n_heads; ++i) {
        char name[16];
        snprintf(name, sizeof(name), "head%03d", i);
        V(open_head)(g_source, name, NULL);
        g_heads[i] = V(follow)(g_source, name);
        if (g_heads[i] < 0) return fprintf(stderr, "%s\n", last_error()), 1;
    }
    pthread_t listener;
    pthread_create(&listener, NULL, listen, NULL);
    sleep_until(now() + 1500000000);
    unsigned long kept = (unsigned long)g_n_heads; /* so that the compiler keeps the control */
    long n_live = 0, n_disturbed = 0, n_undisturbed = 0, n_lines = 0;
    int64_t next_ns = clock_ns(CLOCK_MONOTONIC);
    const int64_t all_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), began_ns = next_ns;
    for (long frame = 0; frame < n_frames; ++frame) {
        const long switched = switches();
        int64_t ended_ns[3];
        const int64_t processor_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), wall_ns = clock_ns(CLOCK_MONOTONIC);
        g_counting = 1;
        n_live += play_frame(frame, microphone, line, ended_ns);
        g_counting = 0;
        wall[frame] = (double)(clock_ns(CLOCK_MONOTONIC) - wall_ns) * 1e-3;
        processor[frame] = (double)(ended_ns[2] - processor_ns) * 1e-3;
        parts[0][frame] = (double)(ended_ns[0] - processor_ns) * 1e-3;
        if (frame % 30 == 0) parts[1][n_lines++] = (double)(ended_ns[1] - ended_ns[0]) * 1e-3;
        parts[2][frame] = (double)(ended_ns[2] - ended_ns[1]) * 1e-3;
        if (switches() != switched) {
            ++n_disturbed;
        } else {
            undisturbed[n_undisturbed++] = wall[frame];
        }
        const int64_t control_ns = clock_ns(CLOCK_MONOTONIC);
        kept = control(kept);
        alone[frame] = (double)(clock_ns(CLOCK_MONOTONIC) - control_ns) * 1e-3;
        next_ns += FRAME_NS;
        sleep_until(next_ns);
    }
    const double used_s = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - all_ns) * 1e-9;
    const double spent_s = (double)(clock_ns(CLOCK_MONOTONIC) - began_ns) * 1e-9;
    char status[600];
    V(status_text)(g_source, -1, status, sizeof(status));
    atomic_store(&g_done, 1);
    pthread_join(listener, NULL);
    printf("{\"heads\": %d, \"frames\": %ld, ", g_n_heads, n_frames);
    print_sample();
    print_times("wall", wall, n_frames);
    print_times("processor", processor, n_frames);
    if (n_undisturbed > 0) print_times("undisturbed", undisturbed, n_undisturbed);
    print_times("control", alone, n_frames);
    print_times("microphones", parts[0], n_frames);
    print_times("line", parts[1], n_lines);
    print_times("samples", parts[2], n_frames);
    printf(
        "\"disturbed_frames\": %ld, \"allocations\": %ld, \"live\": %.4f, \"voiced\": %ld, \"cores\": %.3f, "
        "\"kept\": %lu, \"status\": \"%s\"}\n",
        n_disturbed, atomic_load(&g_allocations), (double)n_live / (double)(n_frames * g_n_heads),
        atomic_load(&g_voiced), used_s / spent_s, kept, status);
#if defined(WITH_CLIENT)
    vvc_close(g_source);
#else
    vv_stage_destroy(g_source);
#endif
    return 0;
}
