/* ZMTP 3.0 (rfc.zeromq.org/spec/23), the connecting side: SUB and DEALER, NULL and CURVE, single-part messages of at
 * most 64 KiB, PING and PONG.  Bytes in, bytes out: it knows no socket, so that any transport can carry it. */
#ifndef VISAVIS_CLIENT_ZMTP_H
#define VISAVIS_CLIENT_ZMTP_H

#include <stddef.h>
#include <stdint.h>

#include "client/curve.h"

enum {
    VVI_ZMTP_BUFFER = 128 * 1024, /* bytes of each of the two buffers */
    VVI_ZMTP_ERROR = 200
};

typedef enum vvi_zmtp_state {
    VVI_ZMTP_CLOSED = 0,
    VVI_ZMTP_GREETING,
    VVI_ZMTP_WELCOME, /* CURVE: HELLO is sent */
    VVI_ZMTP_READY,   /* we wait for READY */
    VVI_ZMTP_OPEN
} vvi_zmtp_state;

typedef struct vvi_zmtp {
    vvi_zmtp_state state;
    int subscriber; /* SUB, else DEALER */
    vvi_curve curve;
    uint8_t* in; /* VVI_ZMTP_BUFFER bytes each */
    uint8_t* out;
    size_t in_begin, in_end, out_begin, out_end;
    uint64_t skip; /* bytes of an oversized frame still to come */
    int64_t oversized;
    int64_t heard_ns, pinged_ns;
    char error[VVI_ZMTP_ERROR]; /* why the last connection failed */
} vvi_zmtp;

/* A TCP connection stands: greet. */
void vvi_zmtp_begin(vvi_zmtp* link, int64_t now_ns);
void vvi_zmtp_end(vvi_zmtp* link);
/* What it means if the peer closes the connection now. */
const char* vvi_zmtp_closed(const vvi_zmtp* link);

/* Where received bytes go, and that they came. */
uint8_t* vvi_zmtp_room(vvi_zmtp* link, size_t* n_bytes);
void vvi_zmtp_received(vvi_zmtp* link, size_t n_bytes, int64_t now_ns);
/* 1: a message, good until the next call; 0: no more for now; -1: link->error, close the connection. */
int vvi_zmtp_next(vvi_zmtp* link, const uint8_t** message, size_t* n_bytes);

/* Bytes to be sent, and how many were. */
const uint8_t* vvi_zmtp_pending(const vvi_zmtp* link, size_t* n_bytes);
void vvi_zmtp_sent(vvi_zmtp* link, size_t n_bytes);

/* Bytes that a message may have to be taken now. */
size_t vvi_zmtp_space(const vvi_zmtp* link);
/* Queues one message given in two pieces; 0: no space, nothing was queued. */
int vvi_zmtp_send(vvi_zmtp* link, const uint8_t* first, size_t n_first, const uint8_t* second, size_t n_second);
int vvi_zmtp_subscribe(vvi_zmtp* link, const uint8_t* topic, size_t n_bytes, int on);

/* Keeps the link alive; -1: nothing was heard for 3 s. */
int vvi_zmtp_tick(vvi_zmtp* link, int64_t now_ns);

#endif
