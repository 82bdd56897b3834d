/* The client behind its handle: what its own thread does (links, control, uplink) and what it shares with callers. */
#ifndef VISAVIS_CLIENT_CORE_H
#define VISAVIS_CLIENT_CORE_H

#include "client/head.h"
#include "client/outbox.h"
#include "client/platform.h"
#include "client/zmtp.h"
#include "visavis/client.h"

enum {
    VVI_MAX_HEADS = 128,
    VVI_LINKS = 3,
    VVI_LINE_BYTES = 256, /* a log line, a refusal */
    VVI_LOG_LINES = 64,
    VVI_REPLIES = 64,
    VVI_HOST_BYTES = 254
};

typedef struct vvi_link {
    vvi_zmtp zmtp;
    intptr_t socket;
    uint16_t port;
    int connecting;               /* TCP: not yet */
    int readable;                 /* TCP: something came */
    int64_t began_ns, retry_ns;   /* of the attempt; when to make the next */
    uint32_t state;               /* atomic, vvc_connection */
    int told;                     /* the failure is in the log already */
    char failure[VVI_LINE_BYTES]; /* under text_busy: why it is not connected; "" */
} vvi_link;

typedef struct vvi_reply {
    int64_t request; /* atomic; 0: none */
    uint32_t status; /* atomic, vvc_result */
    int64_t since_ns;
    char text[VVI_LINE_BYTES]; /* under text_busy */
} vvi_reply;

typedef struct vvi_log {
    char lines[VVI_LOG_LINES][VVI_LINE_BYTES];
    int32_t levels[VVI_LOG_LINES];
    int64_t written, read;
} vvi_log;

struct vvc_client {
    vvc_options options;
    char host[VVI_HOST_BYTES];
    char endpoint[VVI_HOST_BYTES + 16];
    vvi_link links[VVI_LINKS];
    int64_t heads[VVI_MAX_HEADS]; /* atomic: vvi_head*, filled from the front */
    uint32_t stopping;            /* atomic */
    uint32_t wants_input;         /* atomic: something was sent */
    vvi_outbox inputs, requests;
    int64_t last_request; /* atomic */
    vvi_reply replies[VVI_REPLIES];
    float* scratch;  /* 64 KiB: values of a message */
    uint8_t* packet; /* 64 KiB: a message on its way out */
    /* the client's thread: */
    uint32_t sent_of_record; /* samples of the oldest input that are out */
    int64_t stuck_ns;        /* since when inputs cannot be sent; 0: they can */
    int64_t pinged_ns, kept_ns;
    struct {
        int64_t trip_ns, offset_ns;
    } pings[8];
    int64_t n_pings;
    int64_t known_ns[VVI_MAX_HEADS];
    /* atomic: */
    int64_t n_connects, n_bytes, malformed, unsent, round_trip_ns, clock_offset_ns;
    /* texts that other threads read, under one try-lock: */
    uint32_t text_busy;
    char known[VVI_MAX_HEADS][VVW_HEAD_BYTES + 1]; /* heads of the server */
    int32_t n_known;
    vvi_log log;
#ifndef VVC_NO_SOCKETS
    vvi_thread* thread;
#endif
};

/* client.c */
void* vvi_allocate(const vvc_options* options, size_t n_bytes); /* zeroed; NULL: no memory */
void vvi_release(const vvc_options* options, void* block);
vvc_result vvi_fail(vvc_result result, const char* format, ...); /* for vvc_last_error; gives the result back */
vvi_head* vvi_head_at(const vvc_client* client, int64_t handle); /* NULL: no such handle */

/* status.c */
int vvi_lock_texts(vvc_client* client); /* waits for a few microseconds at most; 0: not now */
void vvi_unlock_texts(vvc_client* client);
void vvi_say(vvc_client* client, vvc_log_level level, const char* format, ...);
void vvi_copy_text(char* to, size_t capacity, const char* from);

/* links.c: the thread's turn; the same for both kinds of sockets */
void vvi_link_begin(vvc_client* client, int link, int64_t now_ns);
void vvi_link_lost(vvc_client* client, int link, const char* why, int64_t now_ns);
int vvi_link_read(vvc_client* client, int link, int64_t now_ns); /* takes what is in the link's buffer; 0: broken */
int vvi_link_turn(vvc_client* client, int link, int64_t now_ns); /* timers, subscriptions, what waits; 0: broken */
void vvi_take_message(vvc_client* client, const uint8_t* bytes, size_t n_bytes, int64_t now_ns);
void vvi_note_head(vvc_client* client, const char* name, int64_t now_ns); /* the server has a head of that name */
void vvi_run(void* client);                                               /* the thread */

/* control.c */
void vvi_control_opened(vvc_client* client);
void vvi_control_lost(vvc_client* client);
void vvi_control_turn(vvc_client* client, int64_t now_ns);
void vvi_control_reply(vvc_client* client, const uint8_t* bytes, size_t n_bytes, int64_t now_ns);

/* uplink.c */
void vvi_uplink_turn(vvc_client* client, int64_t now_ns);

#endif
