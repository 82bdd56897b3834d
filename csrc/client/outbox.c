/* Records lie in one ring of bytes, each behind a 16-byte head whose first word says that it is whole. */
#include "client/outbox.h"

#include <string.h>

#include "client/platform.h"

enum { HEAD = 16 };
#define WHOLE 0x80000000u
#define PADDING 0x40000000u
#define SIZE_MASK 0x3FFFFFFFu

static int64_t span(size_t n_bytes) { return (int64_t)((n_bytes + HEAD + 15) / 16 * 16); }

static uint32_t* head_at(vvi_outbox* outbox, int64_t position) {
    return (uint32_t*)(void*)(outbox->bytes + position % outbox->capacity);
}

uint8_t* vvi_outbox_reserve(vvi_outbox* outbox, size_t n_bytes) {
    const int64_t need = span(n_bytes);
    if (need > outbox->capacity) return NULL;
    for (;;) {
        const int64_t tail = vvi_load64(&outbox->tail);
        const int64_t to_end = outbox->capacity - tail % outbox->capacity;
        const int64_t padding = need > to_end ? to_end : 0;
        if (tail + padding + need - vvi_load64(&outbox->head) > outbox->capacity) return NULL;
        if (!vvi_swap64(&outbox->tail, tail, tail + padding + need)) continue;
        if (padding > 0) vvi_store32(head_at(outbox, tail), WHOLE | PADDING | (uint32_t)padding);
        return (uint8_t*)head_at(outbox, tail + padding) + HEAD;
    }
}

void vvi_outbox_commit(uint8_t* record, size_t n_bytes) {
    vvi_store32((uint32_t*)(void*)(record - HEAD), WHOLE | (uint32_t)n_bytes);
}

/* Zeroes what was taken, so that the next record there begins as not whole. */
static void drop(vvi_outbox* outbox, int64_t n_bytes) {
    memset(head_at(outbox, outbox->head), 0, (size_t)n_bytes);
    vvi_store64(&outbox->head, outbox->head + n_bytes);
}

const uint8_t* vvi_outbox_peek(vvi_outbox* outbox, size_t* n_bytes) {
    if (outbox->capacity == 0) return NULL;
    uint32_t mark = vvi_load32(head_at(outbox, outbox->head));
    if ((mark & PADDING) != 0) {
        drop(outbox, mark & SIZE_MASK);
        mark = vvi_load32(head_at(outbox, outbox->head));
    }
    if ((mark & WHOLE) == 0) return NULL;
    *n_bytes = mark & SIZE_MASK;
    return (const uint8_t*)head_at(outbox, outbox->head) + HEAD;
}

void vvi_outbox_pop(vvi_outbox* outbox) { drop(outbox, span(vvi_load32(head_at(outbox, outbox->head)) & SIZE_MASK)); }
