/* Layout of wire protocol v1 (docs/protocol.md): offsets, limits and bits, for the C++ codec and the C client alike. */
#ifndef VISAVIS_WIRE_LAYOUT_H
#define VISAVIS_WIRE_LAYOUT_H

enum {
    VVW_HEADER_BYTES = 80,
    VVW_MAX_MESSAGE_BYTES = 65536,
    VVW_HEAD_BYTES = 16,
    VVW_TOPIC_BYTES = 20, /* magic and head id: what a SUB socket subscribes to */
    VVW_MIN_AUDIO_RATE = 4000,
    VVW_MAX_AUDIO_RATE = 384000
};

/* Where the fields of the header begin. */
enum {
    VVW_AT_MAGIC = 0,
    VVW_AT_HEAD = 4,
    VVW_AT_HEADER_SIZE = 20,
    VVW_AT_FLAGS = 22,
    VVW_AT_SCHEMA_HASH = 24,
    VVW_AT_SEQUENCE = 32,
    VVW_AT_FRAME = 40,
    VVW_AT_PRESENTATION = 48,
    VVW_AT_PUBLISH = 56,
    VVW_AT_EPOCH = 64,
    VVW_AT_STATE = 68,
    VVW_AT_CHANNELS = 70,
    VVW_AT_DTYPE = 72,
    VVW_AT_REVISION = 73,
    VVW_AT_RATE = 76
};

/* Kinds of messages, in the order of VVW_MAGICS. */
enum {
    VVW_MOTION = 0,
    VVW_AGENT_AUDIO = 1,
    VVW_CUT = 2,
    VVW_DESCRIBE = 3,
    VVW_USER_INPUT = 4,
    VVW_AGENT_INPUT = 5,
    VVW_FACE_INPUT = 6,
    VVW_KINDS = 7
};
#define VVW_MAGICS "VVM1VVA1VVC1VVD1VVU1VVG1VVT1"

enum { VVW_NONE = 0, VVW_F32 = 1, VVW_NORM16 = 2, VVW_S16 = 3, VVW_JSON = 4 };                   /* dtype */
enum { VVW_TIMED = 1, VVW_END = 2 };                                                             /* bits of flags */
enum { VVW_STATE_SPEAKING = 1, VVW_STATE_LISTENING = 2, VVW_STATE_LATE = 4, VVW_WITHDRAWN = 8 }; /* bits of state */

#endif
