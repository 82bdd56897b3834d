/* One head as a game sees it: frames, voice and clock that one thread writes, sampled and read by others without a
 * lock. Shared by the stream client (a message writes) and the runtime's stage (a session writes). */
#ifndef VISAVIS_CLIENT_SHOW_H
#define VISAVIS_CLIENT_SHOW_H

#include "client/face.h"
#include "client/motion.h"
#include "client/playout.h"
#include "client/voice.h"
#include "visavis/client.h"

typedef struct vvi_manner { /* how a head is shown: see vvc_options */
    int64_t min_delay_ns, max_delay_ns, hold_ns, ease_ns, output_ns;
} vvi_manner;

/* A game that samples a hundred heads a frame finds none of them in a cache, nor where their pages are.  What a sample
 * reads and writes of a head therefore lies in few lines at the front, but for its two frames.  (At an address that is
 * a multiple of 64, playout.line and the start of motion share a line.) */
typedef struct vvi_show {
    vvi_line last_line;      /* the sampler's */
    int64_t read_ns, lag_ns; /* of the voice, as it was read last: client time (INT64_MIN: never); session time less the
                                line's, smoothed */
    vvi_face face;
    vvi_playout playout;
    vvi_motion motion;
    vvi_voice voice;
    int64_t output_ns;
    int64_t starved; /* atomic: times a sample found no frame in time */
} vvi_show;

void vvi_show_begin(vvi_show* show, const vvi_manner* manner);
/* Writer: the session clock begins anew. */
void vvi_show_restart(vvi_show* show, uint32_t epoch);
/* Writer: frames and voice from that session time on are withdrawn. */
void vvi_show_cut(vvi_show* show, int64_t from_ns);

/* vvc_sample, vvc_sample_at and vvc_read_audio of one head, arguments checked: VVC_OK or VVC_ERROR_BUSY. */
vvc_result vvi_show_sample(vvi_show* show, int64_t t_ns, vvc_frame* frame);
vvc_result vvi_show_sample_at(vvi_show* show, int64_t session_ns, vvc_frame* frame);
vvc_result vvi_show_read(vvi_show* show, int64_t t_ns, float* samples, uint32_t n_samples, uint32_t rate,
                         vvc_audio* audio);
/* Hints: the head will be sampled soon; very soon, and vvi_show_fetch was some hundred nanoseconds ago. */
void vvi_show_fetch(const vvi_show* show);
void vvi_show_fetch_frames(const vvi_show* show);
/* How late after its session clock the head is shown. */
int64_t vvi_show_delay(const vvi_show* show);

#endif
