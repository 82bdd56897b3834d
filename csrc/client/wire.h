/* Messages of wire protocol v1, to and from bytes: the C twin of csrc/wire/frame_codec.h.  Decoding believes nothing.
 */
#ifndef VISAVIS_CLIENT_WIRE_H
#define VISAVIS_CLIENT_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "wire/layout.h"

typedef struct vvi_message {
    uint32_t kind; /* VVW_MOTION, ... */
    uint32_t dtype;
    char head[VVW_HEAD_BYTES + 1]; /* a C string */
    uint16_t flags, state, channels;
    uint8_t revision;
    uint64_t schema_hash, sequence;
    int64_t frame, presentation_ns, publish_ns;
    uint32_t epoch, rate;
    const uint8_t* payload; /* in the packet */
    size_t n_bytes;
} vvi_message;

/* 1 to 16 bytes of UTF-8 without control characters, ended by a zero. */
int vvi_head_name_ok(const char* name);

/* NULL if the packet is a message, else what is wrong with it. */
const char* vvi_decode(const uint8_t* packet, size_t n_bytes, vvi_message* message);

/* Value i of a payload.  norm16: `angle` says which of its two forms. */
float vvi_value(const vvi_message* message, size_t i, int angle);
/* Samples or values in the payload. */
size_t vvi_n_values(const vvi_message* message);

/* Writes the header of a message into 80 bytes; payload and n_bytes are not looked at. */
void vvi_put_header(const vvi_message* message, uint8_t* bytes);
void vvi_put_f32(float value, uint8_t* bytes);

/* Schema hash of arkit55 (docs/protocol.md, 3.1). */
#define VVI_ARKIT55_HASH UINT64_C(0xc4f7f0cac81cd3c2)

#endif
