/* From frames to what a mesh shows: interpolation, hold and ease to neutral, and no jump whatever happens to the frames
 * (late ones, cuts, restarts): what would jump is carried over as a difference that fades within 200 ms. */
#ifndef VISAVIS_CLIENT_FACE_H
#define VISAVIS_CLIENT_FACE_H

#include "client/motion.h"
#include "visavis/client.h"

typedef struct vvi_face {    /* what every sample reads or writes comes first */
    uint32_t busy;           /* a try-lock: one sampler at a time */
    uint32_t epoch, changes; /* of the motion, before it was looked at */
    int32_t seen, starving;
    int64_t t_ns, session_ns; /* of the last sample */
    int64_t frame;            /* atomic: that was at or before it */
    int64_t fading_ns;        /* of the fade still to go */
    int64_t hold_ns, ease_ns;
    float target[VVI_VALUES];  /* what the frames said then */
    float carried[VVI_VALUES]; /* the difference when it began to fade */
} vvi_face;

typedef enum vvi_step {
    VVI_STEP_ON,   /* time went on by elapsed_ns */
    VVI_STEP_JUMP, /* the session time jumped, or the epoch is another: go over smoothly */
    VVI_STEP_SEEK  /* the caller jumped: so do we */
} vvi_step;

/* Fills frame's values, state, frame, phase and session_ns.  1 if frames began to be missing with this sample. */
int vvi_face_show(vvi_face* face, const vvi_motion* motion, int64_t session_ns, int64_t elapsed_ns, vvi_step step,
                  vvc_frame* frame);

#endif
