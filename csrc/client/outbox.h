/* A queue of records from any number of threads to the client's one, bounded and without a lock: a producer reserves
 * its place with one compare-and-swap, fills it, and marks it. */
#ifndef VISAVIS_CLIENT_OUTBOX_H
#define VISAVIS_CLIENT_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

typedef struct vvi_outbox {
    uint8_t* bytes;     /* zeroed */
    int64_t capacity;   /* a multiple of 16 */
    int64_t head, tail; /* bytes taken and reserved so far */
} vvi_outbox;

/* Room for a record of n_bytes, or NULL: full.  Each must be committed. */
uint8_t* vvi_outbox_reserve(vvi_outbox* outbox, size_t n_bytes);
void vvi_outbox_commit(uint8_t* record, size_t n_bytes);

/* The client's thread: the oldest record, or NULL; and that it is done with. */
const uint8_t* vvi_outbox_peek(vvi_outbox* outbox, size_t* n_bytes);
void vvi_outbox_pop(vvi_outbox* outbox);

#endif
