// clang-format off
/* Visavis, the stage: all heads of a game in its own process.  Part of visavis.h, which includes it.
 *
 * A vv_stage owns the sessions of an engine and does their work on one thread of low priority, or in the game's tick.
 * The game's threads push voices and read faces; nothing of theirs waits.  The calls are those of the stream client
 * (client.h): a game that follows a server and one that has the model inside differ in how they open.
 *
 *   vv_model* model = NULL;
 *   vv_engine* engine = NULL;
 *   vv_stage* stage = NULL;
 *   vv_face face;
 *   if (!vv_abi_matches(VV_ABI_VERSION)) return 1;
 *   if (vv_model_load("default.gguf", &model) || vv_engine_create(model, NULL, &engine) ||
 *       vv_stage_create(engine, NULL, &stage)) { say(vv_last_error()); return 1; }
 *   vv_engine_destroy(engine);                                     // the stage keeps what it needs
 *   vv_model_destroy(model);
 *   int32_t npc = vv_stage_open_head(stage, "npc", NULL);
 *   face.struct_size = (uint32_t)sizeof(face);
 *   for (;;) {                                                     // every tick of the game:
 *     vv_stage_send_user_audio(stage, npc, microphone, n, 48000, VV_TIME_NEXT);
 *     vv_stage_sample(stage, npc, vv_now(), &face);                // never waits, never allocates
 *     show(face.shapes, face.yaw, face.pitch, face.roll);          // neutral as long as there is nothing to show
 *   }
 *   vv_stage_destroy(stage);
 *
 * The character's voice goes in when it is known, as much at a time as there is; on the audio thread it comes back in
 * time with the face:
 *
 *   vv_stage_send_agent_audio(stage, npc, line, n_line, 24000, VV_TIME_NEXT);
 *   vv_stage_read_audio(stage, npc, vv_now(), samples, n_samples, 48000, NULL);
 *   vv_stage_cancel(stage, npc, VV_TIME_NEXT);                     // the player interrupts
 *
 * TIME    Two clocks: the game's (vv_now, monotonic) and each head's session clock, on which frame k stands at
 *         k * 40 ms.  A head's session clock begins up to two turns after it is opened: heads take their turns at
 *         different moments, so that the work is spread evenly.
 * DELAY   A head is shown as late after its session clock as its frames need to be there: a few milliseconds, more while
 *         the processor is busy, never more than config.max_delay_ns.  If no frames come, the face is held for hold_ns
 *         and then eases to neutral within ease_ns; when they come again, it eases back.  It never jumps.
 * THREADS Any thread may call anything but vv_stage_destroy, which ends the rest.  A head has one sampling thread and
 *         one audio reading thread at a time: a second one gets VV_ERROR_BUSY, not a race.  No call waits for a lock or
 *         for the engine, but vv_stage_create, which measures it, and vv_stage_destroy, which joins the thread (a turn,
 *         a few milliseconds).  vv_stage_create, vv_stage_open_head and vv_stage_follow allocate; sampling, reading,
 *         sending, dials and cancel do not.  The stage's thread (or tick) does where a head begins, and where a voice
 *         reaches further ahead than any before it.
 * ENGINE  Its other sessions, if there are any, must rest while a stage works with it: give the stage one of its own.
 */
// clang-format on
#ifndef VISAVIS_STAGE_H
#define VISAVIS_STAGE_H

#include "visavis.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_stage vv_stage;

typedef enum vv_stage_flag {
    VV_STAGE_TICKED = 1,  /* no thread: the work is done inside vv_stage_tick */
    VV_STAGE_NO_AUDIO = 2 /* the voices are not kept for vv_stage_read_audio: the game plays them itself */
} vv_stage_flag;

typedef struct vv_stage_config {
    uint32_t struct_size;
    uint32_t flags;       /* vv_stage_flag */
    int64_t min_delay_ns; /* show a head at least so late after its session clock; default 0 */
    int64_t max_delay_ns; /* and at most so late; default 200 ms, at most 2 s */
    int64_t hold_ns;      /* no frames: hold the face so long; default 250 ms */
    int64_t ease_ns;      /* then ease to neutral within; default 500 ms */
    int64_t output_ns;    /* from vv_stage_read_audio to the loudspeaker: the face waits as long; default 0 */
    uint32_t max_heads;   /* names in use at a time; default and limit 128 */
    uint32_t input_bytes; /* room for voices and faces on their way to the heads; default 4 MiB */
    float max_load;       /* share of one processor core that all heads may need together; a head that would need more
                             is refused.  Default 0.8; 0 to 1000 */
    uint32_t reserved;
    vv_clock_fn clock; /* monotonic nanoseconds, in place of vv_now; called by the stage's thread; NULL: vv_now */
    void* clock_user;
} vv_stage_config;

/* Write the defaults into the struct_size bytes of `config`. */
VV_API void vv_default_stage_config(vv_stage_config* config, uint32_t struct_size);
VV_API void vv_default_session_config(vv_session_config* config, uint32_t struct_size);

typedef enum vv_struct {
    VV_STRUCT_STAGE_CONFIG = 0,
    VV_STRUCT_FACE = 1,
    VV_STRUCT_HEARD = 2,
    VV_STRUCT_STAGE_STATS = 3,
    VV_STRUCT_SESSION_CONFIG = 4
} vv_struct;
/* The library's sizeof of a struct, 0 for an unknown one: for bindings that declare the structs anew. */
VV_API uint32_t vv_struct_size(uint32_t which);

/* A NULL config is the default.  Uses the engine, for a few turns that measure it.  VV_ERROR_INVALID_ARGUMENT,
 * VV_ERROR_UNSUPPORTED (a model without a single channel of vv_shape_name), VV_ERROR_STATE (the engine is in use),
 * VV_ERROR_OUT_OF_MEMORY. */
VV_API vv_status vv_stage_create(vv_engine* engine, const vv_stage_config* config, vv_stage** stage);
/* Ends its thread and its heads. */
VV_API void vv_stage_destroy(vv_stage* stage);

/* The game's clock: monotonic, starts anywhere. */
VV_API int64_t vv_now(void);

/* VV_STAGE_TICKED alone, once a frame: takes what was sent and generates what is due.  Begins nothing after budget_us,
 * and no turn that is measured to take longer than what is left of them; but where something is due, one piece of work
 * is done: a turn is not divided (vv_stage_stats.turn_ns says how long it takes). */
VV_API vv_status vv_stage_tick(vv_stage* stage, uint32_t budget_us);

/* ---- Heads ---- */
#define VV_SHAPES 52
/* Name of shape 0 to 51, such as "jawOpen"; NULL beyond. */
VV_API const char* vv_shape_name(uint32_t shape);

/* A new character: its handle, 0 or more; or the vv_status with its sign turned.  The name: 1 to 16 bytes of UTF-8
 * without control characters.  A NULL config is the default; its clock must be NULL.  VV_ERROR_STATE: it is open
 * already.  VV_ERROR_FULL: more heads than the processor can keep up with (config.max_load) or than max_heads. */
VV_API int32_t vv_stage_open_head(vv_stage* stage, const char* head, const vv_session_config* config);
/* The face is shown for one more frame and eases to neutral.  The handle stays reserved for the name. */
VV_API vv_status vv_stage_close_head(vv_stage* stage, const char* head);
/* The handle of a name; the head may be opened later (until then: neutral).  Negative as above. */
VV_API int32_t vv_stage_follow(vv_stage* stage, const char* head);
/* Names of the open heads, separated by newlines; returns how many there are. */
VV_API int32_t vv_stage_list_heads(vv_stage* stage, char* names, size_t capacity);

/* Bits of vv_face.state. */
typedef enum vv_face_state {
    VV_FACE_SPEAKING = 1,  /* the character's voice sounds */
    VV_FACE_LISTENING = 2, /* it does not */
    VV_FACE_HELD = 16,     /* the next frame is late: the last one is held */
    VV_FACE_EASING = 32,   /* it is later than hold_ns: on the way to neutral */
    VV_FACE_NEUTRAL = 64   /* there, or there is nothing yet: all zero */
} vv_face_state;

typedef struct vv_face { /* the same bytes as vvc_frame */
    uint32_t struct_size;
    uint32_t state;          /* vv_face_state */
    int64_t session_ns;      /* session time that is shown; for scene time and timecode */
    int64_t frame;           /* index of the frame at or before it; -1: none */
    int64_t delay_ns;        /* how late after the head's session clock it is shown */
    uint32_t epoch;          /* another number: the head was opened anew; 0: there is nothing yet */
    float phase;             /* 0 to 1: where between that frame and the next */
    float shapes[VV_SHAPES]; /* weights, 0 to 1 */
    float yaw, pitch, roll;  /* radians */
    uint32_t reserved;
} vv_face;

/* The face to show at the game's time t_ns (vv_now(), or when the picture will be seen).  Fills the face whatever the
 * state of the head.  VV_ERROR_BUSY, VV_ERROR_INVALID_ARGUMENT leave it alone. */
VV_API vv_status vv_stage_sample(vv_stage* stage, int32_t head, int64_t t_ns, vv_face* face);
/* The face at a session time, for a player of the voice that keeps its own clock. */
VV_API vv_status vv_stage_sample_at(vv_stage* stage, int32_t head, int64_t session_ns, vv_face* face);

typedef struct vv_heard { /* the same bytes as vvc_audio */
    uint32_t struct_size;
    uint32_t source_rate; /* Hz of the voice as it was sent; 0: none was */
    int64_t session_ns;   /* session time of the first sample */
    uint32_t n_voiced;    /* samples of the block that are voice; the others are silence */
    uint32_t reserved;
} vv_heard;

/* The head's voice, as the face follows it: the next n_samples at `rate` Hz (4000 to 384000), silence where there is
 * none; blocks of up to 40 ms cost no delay.  t_ns: vv_now().  Reads on without a seam, follows the head's delay by at
 * most 0.5 % of speed, or, after more than 60 ms, by a short cross-fade.  `heard` may be NULL.  While it is read, the
 * face shows what is heard. */
VV_API vv_status vv_stage_read_audio(vv_stage* stage, int32_t head, int64_t t_ns, float* samples, uint32_t n_samples,
                                     uint32_t rate, vv_heard* heard);

/* ---- To the heads --------------------------------------------------------------------------------------------------
 * Copied into a queue that the stage's thread (or tick) empties.  VV_ERROR_FULL: nothing was taken; push smaller
 * pieces, or raise config.input_bytes.  VV_ERROR_INVALID_ARGUMENT: no samples, a value that is not finite or far from
 * full scale, a rate below 8000 or above 192000 Hz, a handle that is none.  Voices of a head that is not open are
 * dropped and counted. */

/* The player's voice; session_ns: of the first sample, or VV_TIME_NEXT: behind what was sent before, or, first and
 * after a pause, as if heard just now.  (A line of synthetic speech of another character: give its time.) */
VV_API vv_status vv_stage_send_user_audio(vv_stage* stage, int32_t head, const float* samples, uint32_t n_samples,
                                          uint32_t rate, int64_t session_ns);
/* The character's own voice, live or in bursts (synthetic speech).  VV_TIME_NEXT: behind what was sent before. */
VV_API vv_status vv_stage_send_agent_audio(vv_stage* stage, int32_t head, const float* samples, uint32_t n_samples,
                                           uint32_t rate, int64_t session_ns);
/* One frame of the player's tracked face: 52 weights, then yaw, pitch, roll.  VV_TIME_NEXT: now. */
VV_API vv_status vv_stage_send_user_face(vv_stage* stage, int32_t head, const float* values, int64_t session_ns);
/* What the head's session clock shows at the game's time t_ns, for those times; INT64_MIN: the head is not open yet. */
VV_API int64_t vv_stage_session_time(vv_stage* stage, int32_t head, int64_t t_ns);

/* vv_session_set_dial; a channel's min above its max is refused later, in the log. */
VV_API vv_status vv_stage_set_dial(vv_stage* stage, int32_t head, const char* dial, double value);
/* The dials that every head of the stage has; `value` of the result is the standard.  Past the last one:
 * VV_ERROR_INVALID_ARGUMENT. */
VV_API vv_status vv_stage_get_dial(vv_stage* stage, size_t index, vv_dial* dial);
/* Barge-in: voice and face from that session time on (VV_TIME_NEXT: now) are withdrawn, the face eases to listening. */
VV_API vv_status vv_stage_cancel(vv_stage* stage, int32_t head, int64_t from_session_ns);

/* ---- What is going on ---- */
typedef struct vv_stage_stats {
    uint32_t struct_size;
    uint32_t n_heads; /* open */
    float load;       /* share of a core that they need, as measured */
    uint32_t ticked;  /* 1: VV_STAGE_TICKED */
    int64_t turn_ns;  /* what a turn takes of the processor */
    int64_t work_ns;  /* since the stage or its tick last worked; -1: not yet */
    uint64_t unsent;  /* pushes that found the queue full */
    uint64_t refused; /* pushes that were refused later or had no open head; the log says why */
    /* of the head: */
    uint64_t turns;
    uint64_t frames;                      /* generated and shown */
    uint64_t late_turns;                  /* not in time */
    uint64_t skipped_turns;               /* never generated: over two turns behind */
    uint64_t dropped_frames;              /* over one frame late when they were made */
    uint64_t cuts;                        /* barge-ins */
    uint64_t starved;                     /* times a sample found no frame in time */
    uint64_t audio_jumps;                 /* cross-fades in vv_stage_read_audio */
    uint64_t user_missing, agent_missing; /* samples at 16 kHz that had not come when their turn was due */
    uint64_t user_pushed, agent_pushed;   /* samples at 16 kHz */
    int64_t delay_ns;                     /* of what is shown after the session clock */
    int64_t silence_ns;                   /* since the last frame; -1: none yet */
    uint32_t epoch;                       /* how often it was opened */
    uint32_t open;                        /* 1: yes */
} vv_stage_stats;

/* `head` may be -1: the stage's part alone. */
VV_API vv_status vv_stage_get_stats(vv_stage* stage, int32_t head, vv_stage_stats* stats);
/* One or two sentences for people: why nothing moves, and the remedy; or that all is well.  `head` may be -1. */
VV_API vv_status vv_stage_status_text(vv_stage* stage, int32_t head, char* text, size_t capacity);
/* The next line of the stage's log that was not asked for yet: 1 and its level and text, or 0.  For engines whose log
 * may only be written by their own threads.  The oldest of more than 64 are forgotten. */
VV_API int32_t vv_stage_next_log(vv_stage* stage, int32_t* level, char* text, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
