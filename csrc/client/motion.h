/* The frames of one head on their way from the client's thread (one writer) to samplers (any number), without a lock:
 * a slot that is being written counts as missing for that moment. */
#ifndef VISAVIS_CLIENT_MOTION_H
#define VISAVIS_CLIENT_MOTION_H

#include <stdint.h>

enum {
    VVI_VALUES = 55, /* 52 shapes, yaw, pitch, roll */
    VVI_SLOTS = 64   /* 2.56 s */
};
#define VVI_FRAME_NS INT64_C(40000000)
#define VVI_STATE_END (1u << 16) /* the head closes with this frame */

typedef struct vvi_slot { /* 256 bytes, what is searched for in the first 32 */
    uint32_t version;     /* odd: being written */
    uint32_t filled;
    uint32_t state;
    uint32_t reserved;
    int64_t frame;
    int64_t time_ns;             /* session clock */
    uint32_t values[VVI_VALUES]; /* float bits */
} vvi_slot;

typedef struct vvi_motion {
    int64_t newest;   /* frame index */
    uint32_t any;     /* is there one */
    uint32_t changes; /* how often slots were written; counted behind each change */
    vvi_slot slots[VVI_SLOTS];
} vvi_motion;

/* What a sampler finds of a frame; `slot` and `version` are for vvi_motion_values. */
typedef struct vvi_found {
    int there;
    uint32_t slot, version, state;
    int64_t frame, time_ns;
} vvi_found;

/* Name of value 0 to 54; NULL beyond. */
const char* vvi_value_name(uint32_t value);

/* Times beyond 18 years are nonsense that could overflow. */
static inline int vvi_time_ok(int64_t ns) { return ns > -(INT64_C(1) << 59) && ns < (INT64_C(1) << 59); }

/* Writer. */
void vvi_motion_put(vvi_motion* motion, int64_t frame, int64_t time_ns, uint32_t state, const float* values);
void vvi_motion_cut(vvi_motion* motion, int64_t from_ns); /* INT64_MIN: all */
void vvi_motion_remove(vvi_motion* motion, int64_t frame);

/* The newest frame at or before the session time and the next one behind it.  near: a frame that was the former lately;
 * from there it is one or two steps, whatever else the memory holds. */
void vvi_motion_find(const vvi_motion* motion, int64_t session_ns, int64_t near, vvi_found* left, vvi_found* right);
/* Memory that the next search from there will read. */
void vvi_motion_prefetch(const vvi_motion* motion, int64_t near);
/* 0: it has been overwritten meanwhile. */
int vvi_motion_values(const vvi_motion* motion, const vvi_found* found, float* values);

#endif
