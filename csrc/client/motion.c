/* Ring of slots by frame index, each with a version of its own. */
#include "client/motion.h"

#include <string.h>

#include "client/platform.h"

static uint32_t slot_of(int64_t frame) { return (uint32_t)((uint64_t)frame % VVI_SLOTS); }

static void begin_write(vvi_slot* slot) { vvi_store32(&slot->version, slot->version + 1); }

static void end_write(vvi_slot* slot) { vvi_store32(&slot->version, slot->version + 1); }

static void empty(vvi_slot* slot) {
    if (!slot->filled) return;
    begin_write(slot);
    vvi_store32(&slot->filled, 0);
    end_write(slot);
}

static void changed(vvi_motion* motion) { vvi_store32(&motion->changes, motion->changes + 1); }

/* The newest of the frames that are left. */
static void find_newest(vvi_motion* motion) {
    uint32_t any = 0;
    int64_t newest = 0;
    for (int i = 0; i < VVI_SLOTS; ++i) {
        const vvi_slot* slot = &motion->slots[i];
        if (!slot->filled || (any && slot->frame <= newest)) continue;
        any = 1;
        newest = slot->frame;
    }
    vvi_store64(&motion->newest, newest);
    vvi_store32(&motion->any, any);
    changed(motion);
}

void vvi_motion_put(vvi_motion* motion, int64_t frame, int64_t time_ns, uint32_t state, const float* values) {
    vvi_slot* slot = &motion->slots[slot_of(frame)];
    begin_write(slot);
    vvi_store32(&slot->filled, 1);
    vvi_store32(&slot->state, state);
    vvi_store64(&slot->frame, frame);
    vvi_store64(&slot->time_ns, time_ns);
    for (int i = 0; i < VVI_VALUES; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        vvi_store32(&slot->values[i], bits);
    }
    end_write(slot);
    if (!motion->any || frame > motion->newest) vvi_store64(&motion->newest, frame);
    vvi_store32(&motion->any, 1);
    changed(motion);
}

void vvi_motion_cut(vvi_motion* motion, int64_t from_ns) {
    for (int i = 0; i < VVI_SLOTS; ++i) {
        if (motion->slots[i].time_ns >= from_ns) empty(&motion->slots[i]);
    }
    find_newest(motion);
}

void vvi_motion_remove(vvi_motion* motion, int64_t frame) {
    vvi_slot* slot = &motion->slots[slot_of(frame)];
    if (slot->frame != frame) return;
    empty(slot);
    find_newest(motion);
}

static int look(const vvi_motion* motion, int64_t frame, vvi_found* found) {
    const uint32_t index = slot_of(frame);
    const vvi_slot* slot = &motion->slots[index];
    found->version = vvi_load32(&slot->version);
    if ((found->version & 1) != 0 || !vvi_load32(&slot->filled) || vvi_load64(&slot->frame) != frame) return 0;
    found->there = 1;
    found->slot = index;
    found->frame = frame;
    found->time_ns = vvi_load64(&slot->time_ns);
    found->state = vvi_load32(&slot->state);
    return vvi_load32(&slot->version) == found->version;
}

/* Along frames without a gap, where times only grow. */
static int find_near(const vvi_motion* motion, int64_t session_ns, int64_t near, vvi_found* left, vvi_found* right) {
    if (!look(motion, near, left) || left->time_ns > session_ns) return 0;
    for (int steps = 0; steps < 3; ++steps) {
        vvi_found next;
        if (!look(motion, left->frame + 1, &next)) return 0;
        if (next.time_ns > session_ns) {
            *right = next;
            return 1;
        }
        *left = next;
    }
    return 0;
}

void vvi_motion_prefetch(const vvi_motion* motion, int64_t near) {
    for (int64_t frame = near; frame <= near + 2; ++frame) {
        const char* slot = (const char*)&motion->slots[slot_of(frame)];
        for (size_t at = 0; at < sizeof(vvi_slot); at += VVI_LINE) vvi_prefetch(slot + at);
    }
}

void vvi_motion_find(const vvi_motion* motion, int64_t session_ns, int64_t near, vvi_found* left, vvi_found* right) {
    memset(left, 0, sizeof(*left));
    memset(right, 0, sizeof(*right));
    if (!vvi_load32(&motion->any) || find_near(motion, session_ns, near, left, right)) return;
    memset(left, 0, sizeof(*left));
    const uint64_t newest = (uint64_t)vvi_load64(&motion->newest);
    for (uint64_t back = 0; back < VVI_SLOTS; ++back) {
        vvi_found found;
        memset(&found, 0, sizeof(found));
        if (!look(motion, (int64_t)(newest - back), &found)) continue;
        if (found.time_ns <= session_ns) {
            *left = found;
            return;
        }
        *right = found;
    }
}

int vvi_motion_values(const vvi_motion* motion, const vvi_found* found, float* values) {
    const vvi_slot* slot = &motion->slots[found->slot];
    for (int i = 0; i < VVI_VALUES; ++i) {
        const uint32_t bits = vvi_load32(&slot->values[i]);
        memcpy(&values[i], &bits, sizeof(bits));
    }
    return vvi_load32(&slot->version) == found->version;
}
