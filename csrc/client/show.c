/* What the game's threads ask of a head: a face, a block of voice. */
#include "client/show.h"

#include <string.h>

#include "client/platform.h"

#define MS INT64_C(1000000)
static const int64_t kPauseNs = 1000 * MS;  /* longer between two samples: the caller was away */
static const int64_t kStepNs = 250 * MS;    /* vvc_sample_at: longer or backward steps are seeks */
static const int64_t kJumpNs = 60 * MS;     /* more between expected and found session time */
static const int64_t kReadingNs = 300 * MS; /* the voice is being read if it was so lately */

void vvi_show_begin(vvi_show* show, const vvi_manner* manner) {
    show->playout.min_delay_ns = manner->min_delay_ns;
    show->playout.max_delay_ns = manner->max_delay_ns;
    show->face.hold_ns = manner->hold_ns;
    show->face.ease_ns = manner->ease_ns;
    show->output_ns = manner->output_ns;
    show->read_ns = INT64_MIN;
    vvi_playout_reset(&show->playout, 0);
}

void vvi_show_restart(vvi_show* show, uint32_t epoch) {
    vvi_motion_cut(&show->motion, INT64_MIN);
    vvi_playout_reset(&show->playout, epoch);
    vvi_voice_reset(&show->voice);
}

void vvi_show_cut(vvi_show* show, int64_t from_ns) {
    vvi_motion_cut(&show->motion, from_ns);
    vvi_voice_cut(&show->voice, from_ns);
}

/* The line as it is, or, while it is being written, as it was; 0: there is none. */
static int read_line(vvi_show* show, vvi_line* line) {
    const int result = vvi_playout_read(&show->playout, line);
    if (result > 0) show->last_line = *line;
    if (result < 0) *line = show->last_line;
    return result > 0 || (result < 0 && line->started);
}

/* The session time to show: that of the voice while it is being read, else the line's. */
static int64_t shown_at(const vvi_show* show, const vvi_line* line, int64_t t_ns) {
    const int64_t plain = vvi_line_at(line, t_ns);
    const int64_t read_ns = vvi_load64(&show->read_ns);
    if (read_ns == INT64_MIN || t_ns - read_ns > kReadingNs || read_ns - t_ns > kReadingNs) return plain;
    return plain + vvi_load64(&show->lag_ns) - show->output_ns;
}

static void give(vvi_show* show, const vvi_line* line, int starved, int64_t delay_ns, vvc_frame* made,
                 vvc_frame* frame) {
    if (starved) vvi_count(&show->starved, 1);
    made->struct_size = frame->struct_size;
    made->epoch = line->epoch;
    made->delay_ns = delay_ns;
    memcpy(frame, made, frame->struct_size < sizeof(*made) ? frame->struct_size : sizeof(*made));
}

void vvi_show_fetch(const vvi_show* show) {
    for (const char* at = (const char*)show; at < (const char*)show->face.carried; at += VVI_LINE) vvi_prefetch(at);
    vvi_prefetch(&show->playout.line);
}

void vvi_show_fetch_frames(const vvi_show* show) { vvi_motion_prefetch(&show->motion, vvi_load64(&show->face.frame)); }

vvc_result vvi_show_sample(vvi_show* show, int64_t t_ns, vvc_frame* frame) {
    vvc_frame made;
    vvi_line line;
    vvi_face* face = &show->face;
    vvi_show_fetch(show);
    if (!vvi_try(&face->busy)) return VVC_ERROR_BUSY;
    vvi_show_fetch_frames(show);
    memset(&made, 0, sizeof(made));
    memset(&line, 0, sizeof(line));
    const int started = read_line(show, &line);
    const int64_t session_ns = started ? shown_at(show, &line, t_ns) : face->session_ns;
    const int64_t elapsed_ns = t_ns - face->t_ns, moved_ns = session_ns - face->session_ns;
    vvi_step step = VVI_STEP_ON;
    if (line.epoch != face->epoch || moved_ns - elapsed_ns > kJumpNs || elapsed_ns - moved_ns > kJumpNs) {
        step = VVI_STEP_JUMP;
    }
    if (elapsed_ns < 0 || elapsed_ns > kPauseNs) step = VVI_STEP_SEEK;
    const int starved = vvi_face_show(face, &show->motion, session_ns, elapsed_ns, step, &made);
    face->t_ns = t_ns;
    face->epoch = line.epoch;
    give(show, &line, starved, started ? t_ns - line.offset_ns - session_ns : 0, &made, frame);
    vvi_leave(&face->busy);
    return VVC_OK;
}

vvc_result vvi_show_sample_at(vvi_show* show, int64_t session_ns, vvc_frame* frame) {
    vvc_frame made;
    vvi_line line;
    vvi_face* face = &show->face;
    if (!vvi_try(&face->busy)) return VVC_ERROR_BUSY;
    memset(&made, 0, sizeof(made));
    memset(&line, 0, sizeof(line));
    const int started = read_line(show, &line);
    const int64_t elapsed_ns = session_ns - face->session_ns;
    vvi_step step = elapsed_ns < 0 || elapsed_ns > kStepNs ? VVI_STEP_SEEK : VVI_STEP_ON;
    if (line.epoch != face->epoch) step = VVI_STEP_JUMP;
    const int starved = vvi_face_show(face, &show->motion, session_ns, elapsed_ns, step, &made);
    face->t_ns += elapsed_ns;
    face->epoch = line.epoch;
    give(show, &line, starved, started ? vvi_line_at(&line, line.t_ns) - session_ns : 0, &made, frame);
    vvi_leave(&face->busy);
    return VVC_OK;
}

/* Where in the session the voice is read, as late as the block needs its end to have come. */
static int64_t wanted_at(const vvi_line* line, int64_t t_ns, uint32_t n_samples, uint32_t rate) {
    const int64_t block_ns = (int64_t)n_samples * 1000000000 / rate, free_ns = 40 * MS;
    return vvi_line_at(line, t_ns) - (block_ns > free_ns ? block_ns - free_ns : 0);
}

/* Remembers how far the voice is from the line, smoothed over the jitter of the audio thread. */
static void note_reading(vvi_show* show, const vvi_line* line, int64_t t_ns, int64_t session_ns) {
    const int64_t lag_ns = session_ns - vvi_line_at(line, t_ns), known_ns = show->lag_ns;
    const int64_t away_ns = lag_ns - known_ns;
    const int fresh = show->read_ns == INT64_MIN || t_ns - show->read_ns > kReadingNs || away_ns > kJumpNs / 2 ||
                      away_ns < -kJumpNs / 2;
    vvi_store64(&show->lag_ns, fresh ? lag_ns : known_ns + away_ns / 8);
    vvi_store64(&show->read_ns, t_ns);
}

vvc_result vvi_show_read(vvi_show* show, int64_t t_ns, float* samples, uint32_t n_samples, uint32_t rate,
                         vvc_audio* audio) {
    vvi_line line;
    vvi_voice* voice = &show->voice;
    if (!vvi_try(&voice->busy)) return VVC_ERROR_BUSY;
    uint32_t n_voiced = 0;
    int64_t session_ns = 0;
    if (vvi_playout_read(&show->playout, &line) > 0) {
        session_ns =
            vvi_voice_read(voice, wanted_at(&line, t_ns, n_samples, rate), samples, n_samples, rate, &n_voiced);
        note_reading(show, &line, t_ns, session_ns);
    } else {
        memset(samples, 0, n_samples * sizeof(float));
    }
    if (audio != NULL && audio->struct_size >= sizeof(uint32_t)) {
        const vvc_audio made = {audio->struct_size, vvi_load32(&voice->rate), session_ns, n_voiced, 0};
        memcpy(audio, &made, audio->struct_size < sizeof(made) ? audio->struct_size : sizeof(made));
    }
    vvi_leave(&voice->busy);
    return VVC_OK;
}

int64_t vvi_show_delay(const vvi_show* show) {
    vvi_line line;
    return vvi_playout_read(&show->playout, &line) > 0 ? line.t_ns - line.offset_ns - line.session_ns : 0;
}
