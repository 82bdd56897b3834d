// clang-format off
/* Visavis, the runtime: a face for game characters that talks and listens.
 *
 * Two live voices go in, the character's own (the agent) and the other party's (the user), and the user's tracked face
 * if there is one.  25 motion vectors a second come out, on the agent's audio clock.
 *
 *   vv_model     weights, read only.  Load one, share it.
 *   vv_engine    what executes a model.  One serves many sessions.
 *   vv_session   one character's conversation.  Push audio in, poll frames out.
 *   vv_stage     all heads of a game, generated on a thread of its own (stage.h): what games use.
 *
 * A whole conversation, offline (errors unchecked for brevity):
 *
 *   vv_model* model = NULL;
 *   vv_engine* engine = NULL;
 *   vv_session* session = NULL;
 *   if (!vv_abi_matches(VV_ABI_VERSION)) return 1;
 *   vv_model_load("default.gguf", &model);
 *   vv_engine_create(model, NULL, &engine);                      // NULL: the defaults
 *   vv_session_config config = vv_session_config_default();
 *   config.seed = 7;
 *   vv_session_create(engine, &config, &session);
 *   vv_session_push_agent_audio(session, npc, n_npc, 24000, VV_TIME_NEXT, NULL);
 *   vv_session_push_user_audio(session, player, n_player, 48000, VV_TIME_NEXT, NULL);
 *   vv_session_end(session);                                     // nothing more will be pushed
 *   vv_frame frames[25];
 *   float values[25 * 55];                                       // (frames, channels)
 *   size_t n = 0;
 *   while (vv_session_poll(session, frames, values, 25, &n) == VV_OK && n > 0)
 *     for (size_t i = 0; i < n; ++i) show(frames[i].time_ns, values + i * 55);
 *   vv_session_destroy(session);
 *   vv_engine_destroy(engine);
 *   vv_model_destroy(model);
 *
 * Live, on a game's tick (now_ns is the session clock: 0 when the conversation began):
 *
 *   vv_session_push_user_audio(session, microphone, n, 48000, captured_ns, NULL);
 *   vv_session_push_agent_audio(session, tts, m, 24000, VV_TIME_NEXT, &play_at_ns);   // play it then
 *   vv_session_advance(session, now_ns);                         // generates the turns that are due
 *   vv_session_poll(session, frames, values, 25, &n);            // show each frame at its time_ns
 *   if (player_interrupts) vv_session_cancel(session, now_ns, NULL);
 *
 * TIME    int64 nanoseconds of the session clock.  Frame k stands at k * 40 ms.  Frames are generated in turns of
 *         vv_model_info.turn_frames (F).
 * AUDIO   mono float, full scale +-1, 8 to 192 kHz, chunks of any size.  Any chunking gives the same frames.
 * MOTION  float, one value per channel of the model, in the order of vv_model_info.channels.  Unit "1": a blendshape
 *         weight, 0 to 1.  Unit "rad": an angle, -pi/2 to pi/2.  Head axes are those of ARKit: x to the person's own
 *         left, y up, z out of the face, right-handed.  headYaw turns about y (positive: to the person's left),
 *         headPitch about x (positive: chin down), headRoll about z (positive: towards the person's right shoulder),
 *         in the order Y X Z.
 * ERRORS  Every call that can fail returns a vv_status and leaves its outputs alone unless it is VV_OK.  vv_last_error
 *         says what was wrong.  A call that fails changes nothing, and the object lives on.  No exception leaves the
 *         library; it never exits and never prints.
 * THREADS Any thread may call anything, with two limits: a session has one caller at a time, and so have all sessions
 *         of one engine together for the calls that say "uses the engine".  Breaking either gives VV_ERROR_STATE, not a
 *         race.  No call blocks on a lock.
 * MEMORY  After the first turns, push, advance, cancel and poll do not allocate (a push that reaches further ahead than
 *         any before it may, up to ten minutes of audio; so may the first push at another sample rate).
 */
// clang-format on
#ifndef VISAVIS_VISAVIS_H
#define VISAVIS_VISAVIS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(VV_STATIC)
#define VV_API
#elif defined(_WIN32)
#if defined(VV_BUILD)
#define VV_API __declspec(dllexport)
#else
#define VV_API __declspec(dllimport)
#endif
#else
#define VV_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version -------------------------------------------------------------------------------------------------------
 * Major and minor number of this header.  A library serves every header of its major number and of its minor number or
 * below: structs carry their size and only grow at the end. */
#define VV_ABI_VERSION ((uint32_t)((1u << 16) | 2u))

/* Whether the library that was found at run time serves a header of that version.  Call it first. */
VV_API int vv_abi_matches(uint32_t header_version);
/* The release, such as "0.1.0". */
VV_API const char* vv_version(void);

/* ---- Status ---- */
typedef enum vv_status {
    VV_OK = 0,
    VV_ERROR_INVALID_ARGUMENT = 1, /* a value of the wrong kind, width, rate or range; NULL where it is not allowed */
    VV_ERROR_FILE = 2,             /* a file is missing or unreadable */
    VV_ERROR_MODEL_FILE = 3,       /* not a model file, or a malformed or truncated one */
    VV_ERROR_UNSUPPORTED = 4,      /* exists, but not in this build or combination */
    VV_ERROR_STATE = 5,            /* not at this time: a push after the end, a second caller */
    VV_ERROR_OUT_OF_MEMORY = 6,
    VV_ERROR_INTERNAL = 7, /* a promise inside the library was broken: please report it */
    VV_ERROR_BUSY = 8,     /* another thread is doing the same; keep what you have */
    VV_ERROR_FULL = 9      /* nothing was taken: a queue is full, or there are as many heads as there can be */
} vv_status;

/* A few words for a status, never NULL. */
VV_API const char* vv_status_text(vv_status status);
/* The thing, the value found, the value expected: of the last call that failed on this thread; "" if none did.  The
 * text lives until the next failure on this thread. */
VV_API const char* vv_last_error(void);

/* ---- Hooks: set them before anything else is created ---- */
typedef enum vv_log_level { VV_LOG_ERROR = 0, VV_LOG_INFO = 1 } vv_log_level;
typedef void (*vv_log_fn)(void* user, vv_log_level level, const char* message);
/* Where the library's log goes: each failure once, each model loaded.  NULL: nowhere (the default).  The function is
 * called on the thread of the call that it is about (of a stage: its own), and must not call the library. */
VV_API void vv_set_log(vv_log_fn log, void* user);

/* Where large blocks come from: weights, histories, audio and frame buffers.  (Handles, names and other small things
 * come from the C++ runtime.)  `allocate` returns memory of at least that alignment, a power of two, or NULL. */
typedef struct vv_allocator {
    void* (*allocate)(void* user, size_t n_bytes, size_t alignment);
    void (*release)(void* user, void* block);
    void* user;
} vv_allocator;
/* NULL: the C++ runtime's (the default).  VV_ERROR_STATE while blocks of the old allocator are in use. */
VV_API vv_status vv_set_allocator(const vv_allocator* allocator);

/* ---- Model ---------------------------------------------------------------------------------------------------------
 * Immutable: any number of threads may use one.  An engine keeps what it needs: the model may be destroyed before it.
 */
typedef struct vv_model vv_model;

typedef struct vv_model_info {
    uint32_t struct_size;           /* set it to sizeof(vv_model_info) before the call */
    int32_t n_channels;             /* C, the width of a motion vector */
    int32_t turn_frames;            /* F, frames that are generated together, 40 ms each */
    int32_t user_lag_frames;        /* the user is seen as of this many frames before a turn's own */
    int32_t agent_lookahead_frames; /* agent speech past the turn that helps, where it is known ahead */
    int32_t context_turns;          /* turns of memory, the present one included */
    int32_t steps;                  /* default number of denoising steps */
    const char* name;               /* this text and all below live as long as the model; UTF-8 */
    const char* license;
    const char* data_note;       /* what the model was trained on */
    const char* const* channels; /* C names, such as "jawOpen" */
    const char* const* units;    /* C units, "1" or "rad" */
} vv_model_info;

/* Reads a model file; the path is UTF-8.  VV_ERROR_FILE, VV_ERROR_MODEL_FILE. */
VV_API vv_status vv_model_load(const char* path, vv_model** model);
/* The same from memory, which must stay as it is until the model is destroyed. */
VV_API vv_status vv_model_load_memory(const void* bytes, size_t n_bytes, vv_model** model);
/* What the model is; fills as many bytes as info->struct_size says. */
VV_API vv_status vv_model_describe(const vv_model* model, vv_model_info* info);
/* NULL is allowed, here and in every destroy. */
VV_API void vv_model_destroy(vv_model* model);

/* ---- Engine --------------------------------------------------------------------------------------------------------
 * Copies the weights into the layout that it computes with. */
typedef struct vv_engine vv_engine;

/* CUDA: an NVIDIA GPU; needs libvisavis_cuda beside this library, see docs/engines.md. */
typedef enum vv_engine_kind { VV_ENGINE_CPU = 0, VV_ENGINE_CUDA = 1 } vv_engine_kind;
typedef enum vv_window { VV_WINDOW_DEFAULT, VV_WINDOW_EXACT, VV_WINDOW_AMORTISED, VV_WINDOW_RING } vv_window;
typedef enum vv_history { VV_HISTORY_DEFAULT, VV_HISTORY_MASKED, VV_HISTORY_FED, VV_HISTORY_LAGGED } vv_history;
typedef enum vv_precision {
    VV_PRECISION_AUTO = 1,
    VV_PRECISION_F32 = 2,
    VV_PRECISION_BF16 = 3,
    VV_PRECISION_INT8 = 4,
    VV_PRECISION_F16 = 5
} vv_precision;
typedef enum vv_sampler { VV_SAMPLER_DEFAULT = 0, VV_SAMPLER_ANCESTRAL = 1, VV_SAMPLER_DPM2M = 2 } vv_sampler;

/* 0 in a field other than the first: what the model file says. */
typedef struct vv_engine_config {
    uint32_t struct_size;
    uint32_t kind;      /* vv_engine_kind */
    uint32_t window;    /* vv_window: how far back is recomputed; a model allows some of them */
    uint32_t history;   /* vv_history: what past turns show of the agent's own motion */
    uint32_t sampler;   /* vv_sampler */
    int32_t steps;      /* denoising steps */
    int32_t passes;     /* of masked decoding (0: 1) */
    uint32_t precision; /* vv_precision.  CPU: 0 is F32, AUTO is BF16 where there is AVX-512-BF16, else F32; INT8 needs
                           AVX-512-VNNI.  CUDA: 0 and AUTO are BF16 from compute capability 8.0 on, else F16 */
    int32_t threads;    /* CPU: that share a step's turns and each turn of a large model, the caller's one (0: 1) */
    int32_t device;     /* since 1.2.  CUDA: which GPU; 0: the first */
    int32_t multiprocessors; /* of it that the engine may fill at once, so that a renderer has its share (0: all) */
} vv_engine_config;

static inline vv_engine_config vv_engine_config_default(void) {
    vv_engine_config config;
    memset(&config, 0, sizeof(config));
    config.struct_size = (uint32_t)sizeof(config);
    return config;
}

/* A NULL config is the default.  VV_ERROR_UNSUPPORTED where engine and model, or engine and machine, do not fit. */
VV_API vv_status vv_engine_create(const vv_model* model, const vv_engine_config* config, vv_engine** engine);
/* Sessions keep the engine: it may be destroyed before them. */
VV_API void vv_engine_destroy(vv_engine* engine);

/* ---- Session -------------------------------------------------------------------------------------------------------
 * Two drives.  Push (offline): vv_session_poll generates a turn as soon as the voices cover it.  Clock (live, from the
 * first vv_session_advance on): vv_session_advance generates the turns that are due, with what has come by then; agent
 * audio that has not is silence, user audio that has not is absent, both are counted.
 *
 * Clock drive: a turn is due lead_ns before its first frame; the session measures what the engine takes from there.
 * Frames that are made over one frame (40 ms) late are dropped, others after their time are marked VV_FRAME_LATE.  A
 * session whose next turn began over two turns ago goes on with the newest that is due: a real gap, frames and history
 * lack what lies between.  What else is done about turns that cannot be in time is up to vv_session_config.late. */
typedef struct vv_session vv_session;

typedef enum vv_agent_audio {
    VV_AGENT_AUDIO_AHEAD = 0, /* the voice is known before it plays (TTS): it plays on time */
    VV_AGENT_AUDIO_LIVE = 1   /* an actor speaks: play voice and face vv_session_delay_ns later */
} vv_agent_audio;
/* The voices that a session has; the push drive waits for these alone. */
typedef enum vv_late {
    VV_LATE_HOLD = 0,        /* the turn is made as always; the client holds its last frame meanwhile */
    VV_LATE_FEWER_STEPS = 1, /* the turn gets the next lower number of denoising steps, until turns are in time */
    VV_LATE_IDLE = 2 /* a turn that would lose frames gets frames of the eye layer, the rest of the face eases to
                        neutral; it enters the history later */
} vv_late;
typedef int64_t (*vv_clock_fn)(void* user);
typedef enum vv_voices { VV_VOICES_BOTH = 0, VV_VOICES_AGENT = 1, VV_VOICES_USER = 2 } vv_voices;

typedef struct vv_session_config {
    uint32_t struct_size;
    uint32_t agent_audio; /* vv_agent_audio */
    uint32_t voices;      /* vv_voices */
    int32_t steps;        /* denoising steps; 0: the engine's default */
    uint64_t seed;        /* the same seed and input give the same frames */
    float temperature;    /* 0 to 10, default 1; scales the model's noise (of ancestral steps, with dpm2m the first) */
    float guidance;       /* 0 to 10, weight of the user; default 1: no guidance */
    int64_t lead_ns;      /* clock drive: a turn is due this long before its first frame; default 40 ms, at most 10 s */
    uint32_t late;        /* vv_late */
    uint32_t reserved;
    vv_clock_fn clock; /* monotonic nanoseconds, of any origin; measures the engine; NULL: the system's clock */
    void* clock_user;  /* what it is called with */
} vv_session_config;

static inline vv_session_config vv_session_config_default(void) {
    vv_session_config config;
    memset(&config, 0, sizeof(config));
    config.struct_size = (uint32_t)sizeof(config);
    config.temperature = 1.0f;
    config.guidance = 1.0f;
    config.lead_ns = 40000000;
    return config;
}

/* A NULL config is the default.  Uses the engine. */
VV_API vv_status vv_session_create(vv_engine* engine, const vv_session_config* config, vv_session** session);
/* Uses the engine; where another thread does so too, the session's history is freed with the engine. */
VV_API void vv_session_destroy(vv_session* session);

/* As a time: where the queue ends, or at the first sample or frame not yet used where that is later.  (Agent audio,
 * clock drive: a first push too short to fill a turn that is due within 40 ms goes to the end of that turn, so that the
 * next push can follow it without a hole.) */
#define VV_TIME_NEXT INT64_MIN

/* Queue n_samples at sample_rate Hz from time_ns on.  *start_ns (may be NULL): the time they got; play the agent's
 * voice then (plus vv_session_delay_ns).
 *
 * A push that begins where the queue ends (within 1 ms; microphones, that is the user and a live agent: within 40 ms)
 * goes on without a seam.  A later one leaves silence before it; an earlier one replaces what was queued from its time
 * on; what is before the first sample not yet used is dropped.  A microphone whose times step away from the queue's end
 * by 40 to 120 ms runs at another clock: silence is inserted, or samples of the push dropped.  All of it is counted.
 * VV_ERROR_INVALID_ARGUMENT: no samples, a value that is not finite, a bad rate, an end over ten minutes ahead. */
VV_API vv_status vv_session_push_user_audio(vv_session* session, const float* samples, size_t n_samples,
                                            uint32_t sample_rate, int64_t time_ns, int64_t* start_ns);
VV_API vv_status vv_session_push_agent_audio(vv_session* session, const float* samples, size_t n_samples,
                                             uint32_t sample_rate, int64_t time_ns, int64_t* start_ns);
/* Queue n_frames of the user's tracked face, 25 a second, (n_frames, C).  The time is rounded to a whole frame.  What
 * is not there when its turn is generated counts as absent. */
VV_API vv_status vv_session_push_user_motion(vv_session* session, const float* values, size_t n_frames, int64_t time_ns,
                                             int64_t* start_ns);

/* The session clock stands at now_ns; it never goes back.  Generates the turns that are due, but begins none after 10
 * ms of work, so that frames can be polled; the next call goes on.  Call it every 20 ms or so.  Uses the engine. */
VV_API vv_status vv_session_advance(vv_session* session, int64_t now_ns);

/* Barge-in: forgets the agent's queued voice from from_ns on and withdraws the frames from then on.  The withdrawn ones
 * come out of poll marked VV_FRAME_WITHDRAWN, those polled before (of the last ten seconds) a second time, and after
 * them frames in their place: the head goes on, the face eases to listening within ten frames, with no frame missing.
 * *n_withdrawn may be NULL. */
VV_API vv_status vv_session_cancel(vv_session* session, int64_t from_ns, size_t* n_withdrawn);
/* Forgets the user's voice queued from from_ns on: the other character was interrupted. */
VV_API vv_status vv_session_cancel_user(vv_session* session, int64_t from_ns);

/* The temperature from the next turn on, 0 to 10. */
VV_API vv_status vv_session_set_temperature(vv_session* session, float temperature);

/* No more voice will be pushed: the shorter one is padded with silence; poll gives out the rest, no frame beyond the
 * end of the longer voice. */
VV_API vv_status vv_session_end(vv_session* session);

/* Bits of vv_frame.state: one of the first two, perhaps one or both of the others. */
typedef enum vv_frame_state {
    VV_FRAME_SPEAKING = 1,  /* the agent's voice is above -45 dBFS, or was less than 200 ms ago */
    VV_FRAME_LISTENING = 2, /* else */
    VV_FRAME_LATE = 4,      /* was generated after its time, by 40 ms at most */
    VV_FRAME_WITHDRAWN = 8  /* cancelled: do not show it; drop a frame of the same index that you hold */
} vv_frame_state;

typedef struct vv_frame {
    int64_t index;   /* number of the frame on the session clock */
    int64_t time_ns; /* when it is to be seen */
    uint32_t state;  /* vv_frame_state */
    uint32_t reserved;
} vv_frame;

/* Copies up to max_frames frames, oldest first, and their values (max_frames, C) into the caller's memory; *n_frames:
 * how many.  The library holds at most 256 frames and generates no more until they are polled.  Uses the engine. */
VV_API vv_status vv_session_poll(vv_session* session, vv_frame* frames, float* values, size_t max_frames,
                                 size_t* n_frames);

/* What became of a turn.  Times are the session clock's; in the push drive a turn begins when it would be due. */
typedef enum vv_late_action {
    VV_TURN_IN_TIME = 0,
    VV_TURN_HELD = 1,
    VV_TURN_FEWER_STEPS = 2,
    VV_TURN_IDLE = 3
} vv_late_action;
typedef struct vv_turn {
    int64_t turn;             /* its number: frames turn * F to turn * F + F - 1 */
    int64_t skipped_turns;    /* turns before this one that were never generated */
    int64_t due_ns;           /* lead_ns before its first frame */
    int64_t begin_ns, end_ns; /* the engine's work */
    int64_t speech_ns, backbone_ns, denoise_ns;
    int32_t steps;           /* denoising steps that were run */
    uint32_t action;         /* vv_late_action */
    uint32_t dropped_frames; /* over one frame late */
    uint32_t reserved;
} vv_turn;
/* Copies the reports of the turns that were not yet reported, oldest first; the last 64 are kept. */
VV_API vv_status vv_session_poll_turns(vv_session* session, vv_turn* turns, size_t max_turns, size_t* n_turns);

/* How much later than the session clock voice and face go out: 0; with a live agent F + 1 frames and the lead, in whole
 * frames. */
VV_API int64_t vv_session_delay_ns(const vv_session* session);

/* What can be set on a character: who it is, where the model has styles (docs/personas.md); how much parts of its face
 * move, emotions, eyes, gain, offset and limits of every channel (docs/rig.md has the table). */
typedef struct vv_dial {
    uint32_t struct_size; /* set it to sizeof(vv_dial) before the call */
    uint32_t reserved;
    const char* name;    /* such as "style.nods" or "headYaw.gain"; lives as long as the session, as does: */
    const char* meaning; /* a few words */
    double low, high;    /* the range */
    double standard;     /* the value at the start */
    double value;        /* the value it is set to */
} vv_dial;

/* How many dials there are; general ones come first. */
VV_API size_t vv_session_n_dials(const vv_session* session);
VV_API vv_status vv_session_get_dial(const vv_session* session, size_t index, vv_dial* dial);
/* Acts from the next turn on, without a jump.  VV_ERROR_INVALID_ARGUMENT: an unknown name (the text names the valid
 * ones), NaN, a value out of range, a channel's min above its max; nothing changes then. */
VV_API vv_status vv_session_set_dial(vv_session* session, const char* name, double value);

/* Counted in samples at 16 kHz. */
typedef struct vv_voice_stats {
    int64_t pushed;
    int64_t missing;   /* had not come when their turn was due */
    int64_t late;      /* came after their turn, dropped */
    int64_t gap;       /* silence between pushes that were not adjacent */
    int64_t replaced;  /* queued, then overlapped by a later push */
    int64_t inserted;  /* drift: the microphone ran slow */
    int64_t dropped;   /* drift: the microphone ran fast */
    int64_t cancelled; /* queued, then withdrawn */
} vv_voice_stats;

typedef struct vv_session_stats {
    uint32_t struct_size; /* set it to sizeof(vv_session_stats) before the call */
    uint32_t reserved;
    int64_t turns, frames, late_frames, withdrawn_frames;
    int64_t nonfinite_values;                   /* of the engine's; the frame before was held */
    int64_t speech_ns, backbone_ns, denoise_ns; /* time spent, sums over all turns */
    vv_voice_stats user, agent;
    int64_t user_motion_pushed, user_motion_late, user_motion_replaced; /* frames */
    int64_t replaced_frames;                                            /* given out in place of withdrawn ones */
    int64_t dropped_frames;                                             /* over one frame late when they were made */
    int64_t idle_frames;                                                /* of the eye layer alone */
    int64_t skipped_turns;                                              /* never generated: over two turns behind */
    int64_t late_turns, fewer_steps_turns, idle_turns;
} vv_session_stats;

/* Fills as many bytes as stats->struct_size says. */
VV_API vv_status vv_session_get_stats(const vv_session* session, vv_session_stats* stats);

#ifdef __cplusplus
}
#endif
#include "stage.h"
#endif
