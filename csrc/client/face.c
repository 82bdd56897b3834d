/* Evaluation of a face at a session time. */
#include "client/face.h"

#include <string.h>

#include "client/platform.h"

#define MS INT64_C(1000000)
static const int64_t kBridgeNs = 200 * MS;   /* gaps up to this are interpolated */
static const int64_t kApproachNs = 300 * MS; /* behind longer ones, ease to the next frame within this */
static const int64_t kFadeNs = 200 * MS;

static float smooth(int64_t part, int64_t whole) {
    if (part <= 0) return 0.0f;
    if (part >= whole) return 1.0f;
    const float x = (float)part / (float)whole;
    return x * x * (3.0f - 2.0f * x);
}

typedef struct target {
    float values[VVI_VALUES];
    uint32_t state;
    int64_t frame;
    float phase;
    int missing; /* the next frame has not come */
} target;

/* values = a * scale + (b - a * scale) * part */
static void mix(float* values, float scale, const float* b, float part) {
    for (int i = 0; i < VVI_VALUES; ++i) {
        const float a = values[i] * scale;
        values[i] = a + (b[i] - a) * part;
    }
}

/* How much of the last frame is still shown when the next one is missing for that long. */
static float remaining(const vvi_face* face, const vvi_found* left, int64_t age_ns) {
    const int64_t hold_ns = (left->state & VVI_STATE_END) != 0 ? VVI_FRAME_NS : face->hold_ns;
    return 1.0f - smooth(age_ns - hold_ns, face->ease_ns);
}

static void look(const vvi_face* face, const vvi_motion* motion, int64_t session_ns, target* out) {
    vvi_found left, right;
    float next[VVI_VALUES] = {0};
    memset(out, 0, sizeof(*out));
    vvi_motion_find(motion, session_ns, face->frame, &left, &right);
    if (left.there && !vvi_motion_values(motion, &left, out->values)) left.there = 0;
    if (right.there && !vvi_motion_values(motion, &right, next)) right.there = 0;
    if (!left.there) memset(out->values, 0, sizeof(out->values));
    out->frame = left.there ? left.frame : -1;
    const int64_t age_ns = left.there ? session_ns - left.time_ns : 0;
    if (left.there && right.there && right.time_ns - left.time_ns <= kBridgeNs) {
        out->phase = (float)age_ns / (float)(right.time_ns - left.time_ns);
        out->state = left.state & (VVC_SPEAKING | VVC_LISTENING);
        mix(out->values, 1.0f, next, out->phase);
        return;
    }
    out->missing = left.there && age_ns > 0;
    const float scale = left.there ? remaining(face, &left, age_ns) : 0.0f;
    const float part = right.there ? smooth(kApproachNs - (right.time_ns - session_ns), kApproachNs) : 0.0f;
    mix(out->values, scale, next, part);
    if (scale >= 1.0f && part <= 0.0f) {
        out->state = (left.state & (VVC_SPEAKING | VVC_LISTENING)) | (out->missing ? VVC_HELD : 0);
    } else {
        out->state = VVC_LISTENING | (scale > 0.0f || part > 0.0f ? VVC_EASING : VVC_NEUTRAL);
    }
}

/* What the fade still adds, at this moment. */
static float fade(const vvi_face* face) { return smooth(face->fading_ns, kFadeNs); }

/* What is shown of the frames' values. */
static float shown(const vvi_face* face, const float* values, float left, int i) {
    float value = values[i];
    if (left > 0.0f) value += face->carried[i] * left; /* mostly not: its memory stays untouched */
    return i >= VVC_SHAPES ? value : value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
}

/* The face stays where it was, as it was shown or before its limits, and goes over to what `from` is the start of. */
static void carry(vvi_face* face, int as_shown, const float* from) {
    const float left = fade(face);
    for (int i = 0; i < VVI_VALUES; ++i) {
        const float plain = face->target[i] + (left > 0.0f ? face->carried[i] * left : 0.0f);
        face->carried[i] = (as_shown ? shown(face, face->target, left, i) : plain) - from[i];
    }
    face->fading_ns = kFadeNs;
}

/* Have frames around the last sample changed since (late ones came, others were withdrawn)? */
static void notice_changes(vvi_face* face, const vvi_motion* motion, uint32_t changes) {
    target again;
    if (changes == face->changes) return;
    look(face, motion, face->session_ns, &again);
    if (memcmp(again.values, face->target, sizeof(again.values)) != 0) carry(face, 0, again.values);
}

static void finish(vvi_face* face, const target* now, vvc_frame* frame) {
    const float left = fade(face);
    for (int i = 0; i < VVC_SHAPES; ++i) frame->shapes[i] = shown(face, now->values, left, i);
    frame->yaw = shown(face, now->values, left, VVC_SHAPES);
    frame->pitch = shown(face, now->values, left, VVC_SHAPES + 1);
    frame->roll = shown(face, now->values, left, VVC_SHAPES + 2);
    memcpy(face->target, now->values, sizeof(face->target));
    frame->state = now->state;
    if ((now->state & VVC_NEUTRAL) != 0 && left > 0.0f) frame->state = VVC_LISTENING | VVC_EASING;
    frame->frame = now->frame;
    frame->phase = now->phase;
}

int vvi_face_show(vvi_face* face, const vvi_motion* motion, int64_t session_ns, int64_t elapsed_ns, vvi_step step,
                  vvc_frame* frame) {
    target now;
    const uint32_t changes = vvi_load32(&motion->changes);
    if (!face->seen || step == VVI_STEP_SEEK) {
        face->fading_ns = 0;
    } else if (step == VVI_STEP_ON) {
        notice_changes(face, motion, changes);
        face->fading_ns = face->fading_ns > elapsed_ns ? face->fading_ns - elapsed_ns : 0;
    }
    look(face, motion, session_ns, &now);
    if (face->seen && step == VVI_STEP_JUMP) carry(face, 1, now.values);
    face->seen = 1;
    face->changes = changes;
    face->session_ns = session_ns;
    vvi_store64(&face->frame, now.frame);
    finish(face, &now, frame);
    frame->session_ns = session_ns;
    const int starved = now.missing && !face->starving;
    face->starving = now.missing;
    return starved;
}
