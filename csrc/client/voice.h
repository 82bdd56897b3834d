/* The voice of one head, laid out on its session clock: the client's thread writes (one writer), the audio thread reads
 * (one reader at a time), without a lock.  A ring of samples at the voice's own rate; where nothing came it is silent.
 */
#ifndef VISAVIS_CLIENT_VOICE_H
#define VISAVIS_CLIENT_VOICE_H

#include <stddef.h>
#include <stdint.h>

enum {
    VVI_VOICE_SAMPLES = 65536, /* 1.4 s at 48 kHz */
    VVI_TAPS = 16,
    VVI_PHASES = 64
};

typedef struct vvi_voice {
    uint32_t* samples; /* float bits; NULL until the first packet */
    /* writer: */
    int64_t next_frame, next_end; /* what follows the last packet, by its own count */
    /* both: sample n of the timeline stands at session time n / rate */
    uint32_t rate, generation; /* another rate or epoch: another generation */
    int64_t begin, end;        /* written part of the timeline */
    /* reader: */
    uint32_t busy, seen_generation;
    int running;
    double position; /* in samples of the timeline */
    uint32_t table_in, table_out;
    float table[VVI_PHASES + 1][VVI_TAPS];
    int64_t jumps;
} vvi_voice;

void vvi_voice_reset(vvi_voice* voice);
/* Samples whose first stands at that session time; `frame`: the sender's count of it. */
void vvi_voice_put(vvi_voice* voice, uint32_t rate, int64_t frame, int64_t session_ns, const float* samples,
                   size_t n_samples);
void vvi_voice_cut(vvi_voice* voice, int64_t from_ns);

/* n samples at `rate`; wanted_ns: session time that the first should have.  Returns the one it has. */
int64_t vvi_voice_read(vvi_voice* voice, int64_t wanted_ns, float* out, uint32_t n_samples, uint32_t rate,
                       uint32_t* n_voiced);

#endif
