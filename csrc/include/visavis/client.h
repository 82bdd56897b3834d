// clang-format off
/* Visavis, the stream client: the faces and voices of a Visavis server, in your game.
 *
 * C99, no dependency but the system's sockets, one thread of its own for each client.  A server's head (a character) is
 * followed by name; its face is sampled at any time and any rate, its voice is read like a microphone.
 *
 *   vvc_options options;
 *   vvc_client* client = NULL;
 *   vvc_frame frame;
 *   if (!vvc_abi_matches(VVC_ABI_VERSION)) return 1;
 *   vvc_default_options(&options, (uint32_t)sizeof(options));
 *   if (vvc_open("tcp://127.0.0.1:5570", &options, &client) != VVC_OK) return 1;      // returns at once
 *   int32_t npc = vvc_follow(client, "npc");
 *   frame.struct_size = (uint32_t)sizeof(frame);
 *   for (;;) {                                                     // every tick of the game:
 *     vvc_sample(client, npc, vvc_now(), &frame);                  // never waits, never allocates
 *     show(frame.shapes, frame.yaw, frame.pitch, frame.roll);      // neutral as long as nothing has come
 *   }
 *   vvc_close(client);
 *
 * With the character's voice, on the audio thread (the face then follows what is heard):
 *
 *   vvc_read_audio(client, npc, vvc_now(), samples, n_samples, 48000, NULL);
 *
 * And back to the server:
 *
 *   vvc_send_user_audio(client, npc, microphone, n, 48000, VVC_TIME_NEXT);
 *   vvc_cancel(client, npc, VVC_TIME_NEXT);                         // the player interrupts
 *
 * TIME    int64 nanoseconds.  Two clocks: the client's (vvc_now, monotonic) and each head's session clock, on which
 *         frame k stands at k * 40 ms and to which the voice belongs.  vvc_sample takes the client's, says the session's.
 * DELAY   A head is shown as late as its frames need to arrive in time: measured all the time, never more than
 *         options.max_delay_ns.  Frames that come even later are skipped.  If none come, the face is held for hold_ns
 *         and then eases to neutral within ease_ns; when they come again, it eases back.  It never jumps.
 * MOTION  52 ARKit weights, 0 to 1, in the order of Live Link Face (vvc_shape_name), and three angles in radians about
 *         ARKit's axes (x to the person's own left, y up, z out of the face): yaw about y, positive to the person's
 *         left; pitch about x, positive chin down; roll about z, positive towards the person's right shoulder; order
 *         Y X Z.  Between frames: linear.
 * AUDIO   mono float, full scale +-1.
 * ERRORS  vvc_result; ids and handles are negative on error: the vvc_result with its sign turned.  vvc_last_error says
 *         the thing, the value found, the value expected.  A wrong or absent server is no error of any call: the face
 *         is neutral, and vvc_status_text says why.
 * THREADS Any thread may call anything but vvc_close, which ends the rest.  A head has one sampling thread and one
 *         audio reading thread at a time: a second one gets VVC_ERROR_BUSY, not a race.  No call waits for a lock or
 *         for the network, but vvc_close, which joins the client's thread (tens of milliseconds, or as long as the
 *         system takes to look up the server's name).  vvc_open and vvc_follow allocate; sampling, reading and sending
 *         do not.
 * STRUCTS Blittable: numbers and fixed arrays.  Set struct_size to what YOUR sizeof says before the call.  Structs only
 *         grow at the end; a library fills no more than that.  vvc_struct_size tells a binding whether it counts alike.
 * OWN SOCKETS  Compile with VVC_NO_SOCKETS, or set VVC_MANUAL: no thread, no sockets; feed what your transport brings
 *         (vvc_feed).  The clock is then what you pass.
 * ENCRYPTED  Set options.server_key (and, where the server has an allow-list, public_key and secret_key): CURVE.  Needs
 *         a build with libsodium (vvc_has_curve).
 */
// clang-format on
#ifndef VISAVIS_CLIENT_H
#define VISAVIS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#if defined(VVC_STATIC)
#define VVC_API
#elif defined(_WIN32)
#if defined(VVC_BUILD)
#define VVC_API __declspec(dllexport)
#else
#define VVC_API __declspec(dllimport)
#endif
#else
#define VVC_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version -------------------------------------------------------------------------------------------------------
 * Major and minor number of this header.  A library serves every header of its major number and of its minor number or
 * below. */
#define VVC_ABI_VERSION ((uint32_t)((1u << 16) | 0u))

/* 1 if the library that was found at run time serves a header of that version, else 0.  Call it first. */
VVC_API int32_t vvc_abi_matches(uint32_t header_version);
/* The release, such as "0.1.0". */
VVC_API const char* vvc_version(void);
/* 1 if this build can speak CURVE. */
VVC_API int32_t vvc_has_curve(void);

typedef enum vvc_struct {
    VVC_STRUCT_OPTIONS = 0,
    VVC_STRUCT_FRAME = 1,
    VVC_STRUCT_AUDIO = 2,
    VVC_STRUCT_STATS = 3,
    VVC_STRUCT_HEAD_OPTIONS = 4
} vvc_struct;
/* The library's sizeof of a struct, 0 for an unknown one: for bindings that declare the structs anew. */
VVC_API uint32_t vvc_struct_size(uint32_t which);

/* ---- Results ---- */
typedef enum vvc_result {
    VVC_OK = 0,
    VVC_ERROR_INVALID_ARGUMENT = 1, /* a value of the wrong kind or range; NULL where it is not allowed */
    VVC_ERROR_UNSUPPORTED = 2,      /* exists, but not in this build or mode */
    VVC_ERROR_BUSY = 3,             /* a second thread samples or reads this head; keep what you have */
    VVC_ERROR_FULL = 4,             /* nothing was sent: the outgoing queue is full */
    VVC_ERROR_OUT_OF_MEMORY = 5,
    VVC_ERROR_REFUSED = 6, /* the server said no; the text says why */
    VVC_PENDING = 7        /* no reply yet */
} vvc_result;

/* What was wrong with the last call that failed on this thread; "" if none did.  Never NULL. */
VVC_API const char* vvc_last_error(void);

/* ---- Client ---- */
typedef struct vvc_client vvc_client;

typedef enum vvc_flag {
    VVC_MANUAL = 1,    /* no thread and no sockets: you feed, you drain */
    VVC_NO_AUDIO = 2,  /* do not subscribe to the heads' voices */
    VVC_NO_CONTROL = 4 /* do not connect to the control port (no requests, no round trip in the stats) */
} vvc_flag;

typedef enum vvc_log_level { VVC_LOG_ERROR = 0, VVC_LOG_WARNING = 1, VVC_LOG_INFO = 2 } vvc_log_level;

#define VVC_KEY_BYTES 48 /* 40 characters of Z85, a zero, and room */

typedef struct vvc_options {
    uint32_t struct_size;
    uint32_t flags;                    /* vvc_flag */
    int64_t min_delay_ns;              /* show a head at least so late after its session clock; default 0 */
    int64_t max_delay_ns;              /* and at most so late; default 200 ms, at most 2 s */
    int64_t hold_ns;                   /* no frames: hold the face so long; default 250 ms */
    int64_t ease_ns;                   /* then ease to neutral within; default 500 ms */
    int64_t output_ns;                 /* from vvc_read_audio to the loudspeaker: the face waits as long; default 0 */
    uint32_t max_heads;                /* followed at a time; default and limit 128 */
    uint32_t outgoing_bytes;           /* room for voices and faces on their way to the server; default 1 MiB */
    uint8_t server_key[VVC_KEY_BYTES]; /* the server's public key, Z85; empty (default): not encrypted */
    uint8_t public_key[VVC_KEY_BYTES]; /* this client's keys; empty: a fresh pair */
    uint8_t secret_key[VVC_KEY_BYTES];
    /* Log lines, on any of the library's or your threads; must not call the library.  NULL (default): only
     * vvc_next_log has them. */
    void (*log)(void* user, int32_t level, const char* text);
    void* log_user;
    /* All of the client's memory; NULL (default): malloc and free.  `alignment` is a power of two. */
    void* (*allocate)(void* user, size_t n_bytes, size_t alignment);
    void (*release)(void* user, void* block);
    void* allocator_user;
} vvc_options;

/* Writes the defaults into the struct_size bytes of `options`. */
VVC_API void vvc_default_options(vvc_options* options, uint32_t struct_size);

/* `endpoint`: "tcp://HOST:PORT", "HOST:PORT" or "HOST"; the server's motion port (default 5570), control and input are
 * the next two.  NULL options are the defaults.  Returns at once and keeps trying to connect for as long as the client
 * lives.  VVC_ERROR_INVALID_ARGUMENT (endpoint, keys, options), VVC_ERROR_UNSUPPORTED (keys without CURVE),
 * VVC_ERROR_OUT_OF_MEMORY. */
VVC_API vvc_result vvc_open(const char* endpoint, const vvc_options* options, vvc_client** client);
/* Ends thread and connections.  NULL is allowed. */
VVC_API void vvc_close(vvc_client* client);

/* The client's clock: monotonic, starts anywhere. */
VVC_API int64_t vvc_now(void);

/* ---- Heads ---- */
#define VVC_SHAPES 52
/* Name of shape 0 to 51, such as "jawOpen"; NULL beyond. */
VVC_API const char* vvc_shape_name(uint32_t shape);

/* From now on receive this head: 1 to 16 bytes of UTF-8 without control characters.  It need not exist yet.  The same
 * name gives the same handle, 0 or more. */
VVC_API int32_t vvc_follow(vvc_client* client, const char* head);
/* No longer.  The handle stays reserved for the name. */
VVC_API vvc_result vvc_unfollow(vvc_client* client, int32_t head);
/* Names of the heads that the server has, as far as known, separated by newlines; returns how many there are. */
VVC_API int32_t vvc_list_heads(vvc_client* client, char* names, size_t capacity);

/* Bits of vvc_frame.state. */
typedef enum vvc_state {
    VVC_SPEAKING = 1,  /* the character's voice sounds */
    VVC_LISTENING = 2, /* it does not */
    VVC_HELD = 16,     /* the next frame has not come in time: the last one is held */
    VVC_EASING = 32,   /* none came for longer: on the way to neutral */
    VVC_NEUTRAL = 64   /* there, or nothing has come yet: all zero */
} vvc_state;

typedef struct vvc_frame {
    uint32_t struct_size;
    uint32_t state;           /* vvc_state */
    int64_t session_ns;       /* session time that is shown; for scene time and timecode */
    int64_t frame;            /* index of the frame at or before it; -1: none */
    int64_t delay_ns;         /* how late after the head's session clock it is shown */
    uint32_t epoch;           /* another number: the head's session clock began anew; 0: nothing has come yet */
    float phase;              /* 0 to 1: where between that frame and the next */
    float shapes[VVC_SHAPES]; /* weights, 0 to 1 */
    float yaw, pitch, roll;   /* radians */
    uint32_t reserved;
} vvc_frame;

/* The face to show at client time t_ns (vvc_now(), or when the picture will be seen).  Fills the frame whatever the
 * state of the connection.  VVC_ERROR_BUSY, VVC_ERROR_INVALID_ARGUMENT leave it alone. */
VVC_API vvc_result vvc_sample(vvc_client* client, int32_t head, int64_t t_ns, vvc_frame* frame);
/* The face at a session time, for a player of the voice that keeps its own clock (vvc_audio.session_ns). */
VVC_API vvc_result vvc_sample_at(vvc_client* client, int32_t head, int64_t session_ns, vvc_frame* frame);

typedef struct vvc_audio {
    uint32_t struct_size;
    uint32_t source_rate; /* Hz of the voice as the server sends it; 0: none has come */
    int64_t session_ns;   /* session time of the first sample */
    uint32_t n_voiced;    /* samples of the block that are voice; the others are silence */
    uint32_t reserved;
} vvc_audio;

/* The head's voice: the next n_samples at `rate` Hz (4000 to 384000), silence where there is none; blocks of up to 40
 * ms cost no delay.  t_ns: vvc_now().  Reads on without a seam, follows the head's delay by at most 0.5 % of speed, or,
 * after more than 60 ms, by a short cross-fade.  `audio` may be NULL.  VVC_ERROR_BUSY leaves the samples alone. */
VVC_API vvc_result vvc_read_audio(vvc_client* client, int32_t head, int64_t t_ns, float* samples, uint32_t n_samples,
                                  uint32_t rate, vvc_audio* audio);

/* ---- To the server -------------------------------------------------------------------------------------------------
 * Copied into the outgoing queue, sent by the client's thread.  What cannot be sent within a second (no connection) is
 * dropped and counted. */
/* As a time: behind what was sent before (voices), now (faces, cancel). */
#define VVC_TIME_NEXT INT64_MIN

/* The player's voice; session_ns: of the first sample. */
VVC_API vvc_result vvc_send_user_audio(vvc_client* client, int32_t head, const float* samples, uint32_t n_samples,
                                       uint32_t rate, int64_t session_ns);
/* The character's own voice, live or in bursts (synthetic speech). */
VVC_API vvc_result vvc_send_agent_audio(vvc_client* client, int32_t head, const float* samples, uint32_t n_samples,
                                        uint32_t rate, int64_t session_ns);
/* One frame of the player's tracked face: 52 weights, then yaw, pitch, roll. */
VVC_API vvc_result vvc_send_user_face(vvc_client* client, int32_t head, const float* values, int64_t session_ns);
/* What the head's session clock shows at client time t_ns, for those times; INT64_MIN: not known yet. */
VVC_API int64_t vvc_session_time(vvc_client* client, int32_t head, int64_t t_ns);

typedef struct vvc_head_options {
    uint32_t struct_size;
    uint32_t live; /* 1: the agent's voice is not known ahead (an actor): voice and face go out later */
    uint64_t seed;
    uint32_t norm16; /* 1: half the bytes for motion */
    uint32_t reserved;
} vvc_head_options;

/* Requests: each returns its number, above 0.  NULL head options are all zero. */
VVC_API int64_t vvc_open_head(vvc_client* client, const char* head, const vvc_head_options* options);
VVC_API int64_t vvc_close_head(vvc_client* client, const char* head);
VVC_API int64_t vvc_set_dial(vvc_client* client, int32_t head, const char* dial, double value);
/* Barge-in: voice and face from that session time on are withdrawn, the face eases to listening. */
VVC_API int64_t vvc_cancel(vvc_client* client, int32_t head, int64_t from_session_ns);
/* VVC_PENDING, VVC_OK, or VVC_ERROR_REFUSED with the server's (or, without a connection, our) reason in `text`.  The
 * last 64 requests are known. */
VVC_API vvc_result vvc_get_reply(vvc_client* client, int64_t request, char* text, size_t capacity);

/* ---- What is going on ---- */
typedef enum vvc_connection {
    VVC_DISCONNECTED = 0, /* trying */
    VVC_CONNECTING = 1,
    VVC_HANDSHAKE = 2,
    VVC_CONNECTED = 3
} vvc_connection;

typedef struct vvc_stats {
    uint32_t struct_size;
    uint32_t connection;   /* vvc_connection, of the motion port */
    uint32_t control;      /* of the control port */
    uint32_t n_connects;   /* connections made so far */
    int64_t round_trip_ns; /* shortest of the last control pings; -1: not known */
    uint64_t bytes;        /* received */
    uint64_t malformed;    /* messages that are none, of all heads */
    uint64_t unsent;       /* outgoing packets dropped */
    /* of the head: */
    uint64_t frames;   /* received */
    uint64_t lost;     /* missing by sequence: the network or a slow reader lost them */
    uint64_t late;     /* came after they were to be shown */
    uint64_t dropped;  /* not usable: doubled, withdrawn, of another schema */
    uint64_t cuts;     /* barge-ins */
    uint64_t restarts; /* epochs after the first */
    uint64_t starved;  /* times a sample found no frame in time */
    int64_t delay_ns;  /* of what is shown after the session clock */
    int64_t target_delay_ns;
    int64_t silence_ns; /* since the last frame; -1: none yet */
    uint32_t epoch;
    uint32_t followed;      /* 1: yes */
    uint64_t schema_hash;   /* of its channels; 0: not known */
    uint64_t audio_packets; /* received */
    uint64_t audio_jumps;   /* cross-fades in vvc_read_audio */
} vvc_stats;

/* `head` may be -1: the connection's part alone. */
VVC_API vvc_result vvc_get_stats(vvc_client* client, int32_t head, vvc_stats* stats);
/* One or two sentences for people: why nothing moves, and the remedy; or that all is well.  `head` may be -1. */
VVC_API vvc_result vvc_status_text(vvc_client* client, int32_t head, char* text, size_t capacity);
/* The next line of the log that was not asked for yet: 1 and its level and text, or 0.  For engines whose log may only
 * be written by their own threads.  The oldest of more than 64 are forgotten. */
VVC_API int32_t vvc_next_log(vvc_client* client, int32_t* level, char* text, size_t capacity);

/* ---- Your own sockets (VVC_MANUAL) ---- */
typedef enum vvc_link {
    VVC_LINK_MOTION = 0,  /* TCP to the motion port */
    VVC_LINK_CONTROL = 1, /* TCP to the control port */
    VVC_LINK_INPUT = 2,   /* TCP to the input port */
    VVC_LINK_MESSAGE = 3  /* one whole message of the wire protocol, from a WebSocket relay or a ZeroMQ socket */
} vvc_link;

/* A TCP connection was made (1: the handshake begins, drain and send) or lost (0). */
VVC_API vvc_result vvc_set_link(vvc_client* client, uint32_t link, int32_t connected, int64_t now_ns);
/* Bytes as they came.  VVC_ERROR_REFUSED: the peer breaks the protocol, close the connection.  One thread at a time
 * calls vvc_set_link, vvc_feed and vvc_drain; call vvc_drain every 20 ms at least: it is the clock. */
VVC_API vvc_result vvc_feed(vvc_client* client, uint32_t link, const void* bytes, size_t n_bytes, int64_t now_ns);
/* Bytes to send on a link, into `bytes`; returns how many (0: none, or an error of the arguments). */
VVC_API size_t vvc_drain(vvc_client* client, uint32_t link, void* bytes, size_t capacity, int64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
