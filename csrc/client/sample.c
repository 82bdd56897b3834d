/* What the game's threads ask for: a face, a block of voice, a time. */
#include <string.h>

#include "client/core.h"

#define MS INT64_C(1000000)
static const int64_t kPauseNs = 1000 * MS;  /* longer between two samples: the caller was away */
static const int64_t kStepNs = 250 * MS;    /* vvc_sample_at: longer or backward steps are seeks */
static const int64_t kJumpNs = 60 * MS;     /* more between expected and found session time */
static const int64_t kReadingNs = 300 * MS; /* the voice is being read if it was so lately */

static vvc_result bad_frame(void) {
    return vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                    "expected a client, a handle of vvc_follow, a time below 2^59 ns and a frame with struct_size set");
}

static vvi_head* checked(const vvc_client* client, int32_t handle, int64_t ns, const vvc_frame* frame) {
    if (client == NULL || frame == NULL || frame->struct_size < sizeof(uint32_t) || !vvi_time_ok(ns)) return NULL;
    return vvi_head_at(client, handle);
}

/* The line as it is, or, while it is being written, as it was; 0: there is none. */
static int read_line(vvi_head* head, vvi_line* line) {
    const int result = vvi_playout_read(&head->playout, line);
    if (result > 0) head->last_line = *line;
    if (result < 0) *line = head->last_line;
    return result > 0 || (result < 0 && line->started);
}

/* The session time to show: that of the voice while it is being read, else the line's. */
static int64_t shown_at(const vvc_client* client, const vvi_head* head, const vvi_line* line, int64_t t_ns) {
    const int64_t plain = vvi_line_at(line, t_ns);
    const int64_t read_ns = vvi_load64(&head->voice.read_ns);
    if (read_ns == INT64_MIN || t_ns - read_ns > kReadingNs || read_ns - t_ns > kReadingNs) return plain;
    return plain + vvi_load64(&head->voice.lag_ns) - client->options.output_ns;
}

static void give(vvi_head* head, const vvi_line* line, int starved, int64_t delay_ns, vvc_frame* made,
                 vvc_frame* frame) {
    if (starved) vvi_count(&head->counters.starved, 1);
    made->struct_size = frame->struct_size;
    made->epoch = line->epoch;
    made->delay_ns = delay_ns;
    memcpy(frame, made, frame->struct_size < sizeof(*made) ? frame->struct_size : sizeof(*made));
}

vvc_result vvc_sample(vvc_client* client, int32_t handle, int64_t t_ns, vvc_frame* frame) {
    vvi_head* head = checked(client, handle, t_ns, frame);
    vvc_frame made;
    vvi_line line;
    if (head == NULL) return bad_frame();
    vvi_face* face = &head->face;
    if (!vvi_try(&face->busy)) return VVC_ERROR_BUSY;
    memset(&made, 0, sizeof(made));
    memset(&line, 0, sizeof(line));
    const int started = read_line(head, &line);
    const int64_t session_ns = started ? shown_at(client, head, &line, t_ns) : face->session_ns;
    const int64_t elapsed_ns = t_ns - face->t_ns, moved_ns = session_ns - face->session_ns;
    vvi_step step = VVI_STEP_ON;
    if (line.epoch != face->epoch || moved_ns - elapsed_ns > kJumpNs || elapsed_ns - moved_ns > kJumpNs) {
        step = VVI_STEP_JUMP;
    }
    if (elapsed_ns < 0 || elapsed_ns > kPauseNs) step = VVI_STEP_SEEK;
    const int starved = vvi_face_show(face, &head->motion, session_ns, elapsed_ns, step, &made);
    face->t_ns = t_ns;
    face->epoch = line.epoch;
    give(head, &line, starved, started ? t_ns - line.offset_ns - session_ns : 0, &made, frame);
    vvi_leave(&face->busy);
    return VVC_OK;
}

vvc_result vvc_sample_at(vvc_client* client, int32_t handle, int64_t session_ns, vvc_frame* frame) {
    vvi_head* head = checked(client, handle, session_ns, frame);
    vvc_frame made;
    vvi_line line;
    if (head == NULL) return bad_frame();
    vvi_face* face = &head->face;
    if (!vvi_try(&face->busy)) return VVC_ERROR_BUSY;
    memset(&made, 0, sizeof(made));
    memset(&line, 0, sizeof(line));
    const int started = read_line(head, &line);
    const int64_t elapsed_ns = session_ns - face->session_ns;
    vvi_step step = elapsed_ns < 0 || elapsed_ns > kStepNs ? VVI_STEP_SEEK : VVI_STEP_ON;
    if (line.epoch != face->epoch) step = VVI_STEP_JUMP;
    const int starved = vvi_face_show(face, &head->motion, session_ns, elapsed_ns, step, &made);
    face->t_ns += elapsed_ns;
    face->epoch = line.epoch;
    give(head, &line, starved, started ? vvi_line_at(&line, line.t_ns) - session_ns : 0, &made, frame);
    vvi_leave(&face->busy);
    return VVC_OK;
}

/* Where in the session the voice is read, as late as the block needs its end to have come. */
static int64_t wanted_at(const vvi_line* line, int64_t t_ns, uint32_t n_samples, uint32_t rate) {
    const int64_t block_ns = (int64_t)n_samples * 1000000000 / rate, free_ns = 40 * MS;
    return vvi_line_at(line, t_ns) - (block_ns > free_ns ? block_ns - free_ns : 0);
}

/* Remembers how far the voice is from the line, smoothed over the jitter of the audio thread. */
static void note_reading(vvi_voice* voice, const vvi_line* line, int64_t t_ns, int64_t session_ns) {
    const int64_t lag_ns = session_ns - vvi_line_at(line, t_ns), known_ns = voice->lag_ns;
    const int64_t away_ns = lag_ns - known_ns;
    const int fresh = voice->read_ns == INT64_MIN || t_ns - voice->read_ns > kReadingNs || away_ns > kJumpNs / 2 ||
                      away_ns < -kJumpNs / 2;
    vvi_store64(&voice->lag_ns, fresh ? lag_ns : known_ns + away_ns / 8);
    vvi_store64(&voice->read_ns, t_ns);
}

vvc_result vvc_read_audio(vvc_client* client, int32_t handle, int64_t t_ns, float* samples, uint32_t n_samples,
                          uint32_t rate, vvc_audio* audio) {
    vvi_head* head = client == NULL || !vvi_time_ok(t_ns) ? NULL : vvi_head_at(client, handle);
    vvi_line line;
    if (head == NULL || samples == NULL || n_samples == 0 || rate < VVW_MIN_AUDIO_RATE || rate > VVW_MAX_AUDIO_RATE) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                        "expected a client, a handle, samples and a rate of 4000 to 384000");
    }
    vvi_voice* voice = &head->voice;
    if (!vvi_try(&voice->busy)) return VVC_ERROR_BUSY;
    uint32_t n_voiced = 0;
    int64_t session_ns = 0;
    if (vvi_playout_read(&head->playout, &line) > 0) {
        session_ns =
            vvi_voice_read(voice, wanted_at(&line, t_ns, n_samples, rate), samples, n_samples, rate, &n_voiced);
        note_reading(voice, &line, t_ns, session_ns);
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

int64_t vvc_session_time(vvc_client* client, int32_t handle, int64_t t_ns) {
    const vvi_head* head = client == NULL || !vvi_time_ok(t_ns) ? NULL : vvi_head_at(client, handle);
    vvi_line line;
    if (head == NULL) return INT64_MIN;
    const int64_t server_ns = vvi_load64(&client->clock_offset_ns), head_ns = vvi_load64(&head->server_offset_ns);
    if (server_ns != INT64_MIN && head_ns != INT64_MIN) return t_ns + server_ns - head_ns;
    return vvi_playout_read(&head->playout, &line) > 0 ? t_ns - line.offset_ns : INT64_MIN;
}
