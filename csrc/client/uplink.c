/* Voices and faces to the server: callers copy into a queue, the client's thread cuts it into messages. */
#include <string.h>

#include "client/core.h"

#define MS INT64_C(1000000)
enum { PACKET_SAMPLES = 4000 }; /* 16 KB */
static const int64_t kPatienceNs = 1000 * MS;

typedef struct record {
    int64_t session_ns;
    int32_t head;
    uint32_t kind, rate, n_values;
} record;

/* ---- Callers ---- */

/* Counted to the end, which a compiler does many at a time. */
static int are_numbers(const float* values, uint32_t n_values) {
    uint32_t n_others = 0;
    for (uint32_t i = 0; i < n_values; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        n_others += (bits & 0x7FFFFFFF) >= 0x7F800000;
    }
    return n_others == 0;
}

static vvc_result send_values(vvc_client* client, int32_t head, uint32_t kind, const float* values, uint32_t n_values,
                              uint32_t rate, int64_t session_ns) {
    if (client == NULL || values == NULL || n_values == 0) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "a client and at least one value: expected");
    }
    if (vvi_head_at(client, head) == NULL) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "head %ld: expected a handle of vvc_follow", (long)head);
    }
    if (session_ns != VVC_TIME_NEXT && !vvi_time_ok(session_ns)) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "session_ns: expected nanoseconds below 2^59");
    }
    if (!are_numbers(values, n_values)) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "a value is NaN or infinite; expected numbers");
    }
    const record made = {session_ns, head, kind, rate, n_values};
    const uint64_t n_bytes = sizeof(made) + (uint64_t)n_values * sizeof(float);
    uint8_t* at = n_bytes > UINT32_MAX / 4 ? NULL : vvi_outbox_reserve(&client->inputs, (size_t)n_bytes);
    if (at == NULL) {
        return vvi_fail(VVC_ERROR_FULL, "%lu values do not fit into the outgoing queue of %lu bytes (outgoing_bytes)",
                        (unsigned long)n_values, (unsigned long)client->options.outgoing_bytes);
    }
    memcpy(at, &made, sizeof(made));
    memcpy(at + sizeof(made), values, n_values * sizeof(float));
    vvi_outbox_commit(at, (size_t)n_bytes);
    vvi_store32(&client->wants_input, 1);
    return VVC_OK;
}

static vvc_result send_voice(vvc_client* client, int32_t head, uint32_t kind, const float* samples, uint32_t n_samples,
                             uint32_t rate, int64_t session_ns) {
    if (rate < VVW_MIN_AUDIO_RATE || rate > VVW_MAX_AUDIO_RATE) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "rate is %lu Hz; expected 4000 to 384000", (unsigned long)rate);
    }
    return send_values(client, head, kind, samples, n_samples, rate, session_ns);
}

vvc_result vvc_send_user_audio(vvc_client* client, int32_t head, const float* samples, uint32_t n_samples,
                               uint32_t rate, int64_t session_ns) {
    return send_voice(client, head, VVW_USER_INPUT, samples, n_samples, rate, session_ns);
}

vvc_result vvc_send_agent_audio(vvc_client* client, int32_t head, const float* samples, uint32_t n_samples,
                                uint32_t rate, int64_t session_ns) {
    return send_voice(client, head, VVW_AGENT_INPUT, samples, n_samples, rate, session_ns);
}

vvc_result vvc_send_user_face(vvc_client* client, int32_t head, const float* values, int64_t session_ns) {
    return send_values(client, head, VVW_FACE_INPUT, values, VVI_VALUES, 0, session_ns);
}

/* ---- The client's thread ---- */

/* One message of up to PACKET_SAMPLES values from `first` on; 0: the link takes no more now. */
static int send_packet(vvc_client* client, const record* whole, const uint8_t* values, uint32_t first, uint32_t n,
                       int64_t now_ns) {
    vvi_head* head = vvi_head_at(client, whole->head);
    vvi_message message;
    const int is_face = whole->kind == VVW_FACE_INPUT, timed = whole->session_ns != VVC_TIME_NEXT;
    memset(&message, 0, sizeof(message));
    memcpy(message.head, head->name, sizeof(message.head));
    message.kind = whole->kind;
    message.dtype = VVW_F32;
    message.channels = is_face ? VVI_VALUES : 1;
    message.flags = timed ? VVW_TIMED : 0;
    message.rate = whole->rate;
    message.schema_hash = is_face ? VVI_ARKIT55_HASH : 0;
    message.sequence = head->sent_sequence[whole->kind];
    message.frame = head->sent_samples[whole->kind];
    message.publish_ns = now_ns;
    if (timed) {
        const int64_t later_ns = whole->rate == 0 ? 0 : (int64_t)first * 1000000000 / whole->rate;
        message.presentation_ns = whole->session_ns + later_ns;
        message.epoch = head->epoch;
    }
    uint8_t header[VVW_HEADER_BYTES];
    vvi_put_header(&message, header);
    for (uint32_t i = 0; i < n; ++i) {
        float value;
        memcpy(&value, values + (first + i) * sizeof(value), sizeof(value));
        vvi_put_f32(value, client->packet + 4 * i);
    }
    if (!vvi_zmtp_send(&client->links[VVC_LINK_INPUT].zmtp, header, sizeof(header), client->packet, 4 * (size_t)n)) {
        return 0;
    }
    client->stuck_ns = 0;
    head->sent_sequence[whole->kind] += 1;
    head->sent_samples[whole->kind] += is_face ? 1 : n;
    return 1;
}

/* 1: all of it is out. */
static int send_record(vvc_client* client, const uint8_t* bytes, int64_t now_ns) {
    record whole;
    memcpy(&whole, bytes, sizeof(whole));
    while (client->sent_of_record < whole.n_values) {
        const uint32_t left = whole.n_values - client->sent_of_record;
        const uint32_t n = left < PACKET_SAMPLES ? left : PACKET_SAMPLES;
        if (!send_packet(client, &whole, bytes + sizeof(whole), client->sent_of_record, n, now_ns)) return 0;
        client->sent_of_record += n;
    }
    return 1;
}

void vvi_uplink_turn(vvc_client* client, int64_t now_ns) {
    size_t n_bytes = 0;
    const uint8_t* bytes = vvi_outbox_peek(&client->inputs, &n_bytes);
    while (bytes != NULL) {
        if (!send_record(client, bytes, now_ns)) {
            if (client->stuck_ns == 0) client->stuck_ns = now_ns;
            if (now_ns - client->stuck_ns < kPatienceNs) return;
            vvi_count(&client->unsent, 1); /* old voices are of no use: make room for new ones */
        }
        client->sent_of_record = 0;
        vvi_outbox_pop(&client->inputs);
        bytes = vvi_outbox_peek(&client->inputs, &n_bytes);
    }
}
