/* One followed head: what its messages do to its frames, its voice and its clock. */
#ifndef VISAVIS_CLIENT_HEAD_H
#define VISAVIS_CLIENT_HEAD_H

#include "client/show.h"
#include "client/wire.h"

typedef struct vvi_head_counters { /* atomic */
    int64_t frames, lost, late, dropped, cuts, restarts, audio_packets;
} vvi_head_counters;

typedef struct vvi_head {
    vvi_show show; /* first: vvi_allocate may have aligned it */
    char name[VVW_HEAD_BYTES + 1];
    uint32_t followed;          /* atomic: what the game wants */
    uint32_t subscribed, asked; /* the client's thread: on this connection */
    /* the client's thread: */
    int have_epoch;
    int have_sequence[VVW_DESCRIBE + 1];
    uint64_t sequence[VVW_DESCRIBE + 1]; /* the next one expected */
    uint64_t mapped_hash;                /* of the channels that `channel` maps; 0: none */
    int32_t channel[VVI_VALUES];         /* where our values are among theirs, -1: nowhere */
    uint64_t sent_sequence[VVW_KINDS];
    int64_t sent_samples[VVW_KINDS];
    /* atomic, for stats and texts: */
    uint32_t epoch, closed, foreign;    /* foreign: channels of a foreign schema, how many */
    int64_t schema_hash, last_frame_ns; /* INT64_MIN: none yet */
    int64_t server_offset_ns;           /* server's clock minus session clock; INT64_MIN: not known */
    vvi_head_counters counters;
} vvi_head;

void vvi_head_begin(vvi_head* head, const char* name, const vvc_options* options);
/* A message of this head; `scratch` has room for 65536 bytes of floats. */
void vvi_head_take(vvi_head* head, const vvi_message* message, int64_t now_ns, float* scratch);
/* Server and session clock at one moment, from a reply. */
void vvi_head_clock(vvi_head* head, uint32_t epoch, int64_t server_ns, int64_t session_ns);
/* Names and units of a description; 1: some of them are ours. */
void vvi_head_map(vvi_head* head, uint64_t schema_hash, const uint8_t* json, size_t n_bytes);

#endif
