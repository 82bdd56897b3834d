/* What the game's threads ask for: a face, a block of voice, a time. */
#include "client/core.h"

static vvc_result bad_frame(void) {
    return vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                    "expected a client, a handle of vvc_follow, a time below 2^59 ns and a frame with struct_size set");
}

static vvi_head* checked(const vvc_client* client, int32_t handle, int64_t ns, const vvc_frame* frame) {
    if (client == NULL || frame == NULL || frame->struct_size < sizeof(uint32_t) || !vvi_time_ok(ns)) return NULL;
    return vvi_head_at(client, handle);
}

vvc_result vvc_sample(vvc_client* client, int32_t handle, int64_t t_ns, vvc_frame* frame) {
    vvi_head* head = checked(client, handle, t_ns, frame);
    if (head == NULL) return bad_frame();
    /* Most games sample all heads, in the order of their handles: the memory of the next two comes meanwhile. */
    const vvi_head *next = vvi_head_at(client, (int64_t)handle + 1), *later = vvi_head_at(client, (int64_t)handle + 2);
    if (next != NULL) vvi_show_fetch_frames(&next->show);
    if (later != NULL) vvi_show_fetch(&later->show);
    return vvi_show_sample(&head->show, t_ns, frame);
}

vvc_result vvc_sample_at(vvc_client* client, int32_t handle, int64_t session_ns, vvc_frame* frame) {
    vvi_head* head = checked(client, handle, session_ns, frame);
    return head == NULL ? bad_frame() : vvi_show_sample_at(&head->show, session_ns, frame);
}

vvc_result vvc_read_audio(vvc_client* client, int32_t handle, int64_t t_ns, float* samples, uint32_t n_samples,
                          uint32_t rate, vvc_audio* audio) {
    vvi_head* head = client == NULL || !vvi_time_ok(t_ns) ? NULL : vvi_head_at(client, handle);
    if (head == NULL || samples == NULL || n_samples == 0 || rate < VVW_MIN_AUDIO_RATE || rate > VVW_MAX_AUDIO_RATE) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                        "expected a client, a handle, samples and a rate of 4000 to 384000");
    }
    return vvi_show_read(&head->show, t_ns, samples, n_samples, rate, audio);
}

int64_t vvc_session_time(vvc_client* client, int32_t handle, int64_t t_ns) {
    const vvi_head* head = client == NULL || !vvi_time_ok(t_ns) ? NULL : vvi_head_at(client, handle);
    vvi_line line;
    if (head == NULL) return INT64_MIN;
    const int64_t server_ns = vvi_load64(&client->clock_offset_ns), head_ns = vvi_load64(&head->server_offset_ns);
    if (server_ns != INT64_MIN && head_ns != INT64_MIN) return t_ns + server_ns - head_ns;
    return vvi_playout_read(&head->show.playout, &line) > 0 ? t_ns - line.offset_ns : INT64_MIN;
}
