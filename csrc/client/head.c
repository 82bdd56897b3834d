/* Messages of one head. */
#include "client/head.h"

#include <string.h>

#include "client/json.h"
#include "client/platform.h"

void vvi_head_begin(vvi_head* head, const char* name, const vvc_options* options) {
    memcpy(head->name, name, strlen(name));
    const vvi_manner manner = {options->min_delay_ns, options->max_delay_ns, options->hold_ns, options->ease_ns,
                               options->output_ns};
    vvi_show_begin(&head->show, &manner);
    head->last_frame_ns = head->server_offset_ns = INT64_MIN;
}

static void begin_epoch(vvi_head* head, uint32_t epoch) {
    if (head->have_epoch) vvi_count(&head->counters.restarts, 1);
    head->have_epoch = 1;
    vvi_show_restart(&head->show, epoch);
    memset(head->have_sequence, 0, sizeof(head->have_sequence));
    vvi_store64(&head->server_offset_ns, INT64_MIN);
    vvi_store32(&head->epoch, epoch);
    vvi_store32(&head->closed, 0);
}

/* 0: a double, or from before another one that was taken. */
static int in_order(vvi_head* head, const vvi_message* message) {
    uint64_t* expected = &head->sequence[message->kind];
    if (head->have_sequence[message->kind]) {
        if (message->sequence < *expected) {
            vvi_count(&head->counters.dropped, 1);
            return 0;
        }
        const uint64_t n_lost = message->sequence - *expected;
        if (n_lost > 0) vvi_count(&head->counters.lost, n_lost < 1000000 ? (int64_t)n_lost : 1000000);
    }
    head->have_sequence[message->kind] = 1;
    *expected = message->sequence + 1;
    return 1;
}

/* 0: its channels are not ours, or not known yet. */
static int read_values(vvi_head* head, const vvi_message* message, float* values) {
    const int plain = message->schema_hash == VVI_ARKIT55_HASH && message->channels == VVI_VALUES;
    vvi_store64(&head->schema_hash, (int64_t)message->schema_hash);
    if (!plain && (message->schema_hash != head->mapped_hash || head->mapped_hash == 0)) {
        vvi_store32(&head->foreign, message->channels);
        return 0;
    }
    vvi_store32(&head->foreign, 0);
    for (int i = 0; i < VVI_VALUES; ++i) {
        const int32_t channel = plain ? i : head->channel[i];
        const int there = channel >= 0 && channel < message->channels;
        values[i] = there ? vvi_value(message, (size_t)channel, i >= VVC_SHAPES) : 0.0f;
    }
    return 1;
}

static void take_motion(vvi_head* head, const vvi_message* message, int64_t now_ns) {
    float values[VVI_VALUES];
    vvi_line line;
    if ((message->state & VVW_WITHDRAWN) != 0) {
        vvi_motion_remove(&head->show.motion, message->frame);
        vvi_count(&head->counters.dropped, 1);
        return;
    }
    if (!read_values(head, message, values)) {
        vvi_count(&head->counters.dropped, 1);
        return;
    }
    const int ends = (message->flags & VVW_END) != 0;
    vvi_motion_put(&head->show.motion, message->frame, message->presentation_ns,
                   message->state | (ends ? VVI_STATE_END : 0), values);
    vvi_playout_frame(&head->show.playout, now_ns, message->publish_ns, message->presentation_ns);
    if (vvi_playout_read(&head->show.playout, &line) > 0 && vvi_line_at(&line, now_ns) > message->presentation_ns) {
        vvi_count(&head->counters.late, 1);
    }
    vvi_store32(&head->closed, ends ? 1 : 0);
    vvi_store64(&head->last_frame_ns, now_ns);
    vvi_count(&head->counters.frames, 1);
}

static void take_audio(vvi_head* head, const vvi_message* message, float* scratch) {
    const size_t n_samples = vvi_n_values(message);
    if (head->show.voice.samples == NULL || n_samples == 0) return;
    for (size_t i = 0; i < n_samples; ++i) scratch[i] = vvi_value(message, i, 0);
    vvi_voice_put(&head->show.voice, message->rate, message->frame, message->presentation_ns, scratch, n_samples);
    vvi_count(&head->counters.audio_packets, 1);
}

void vvi_head_clock(vvi_head* head, uint32_t epoch, int64_t server_ns, int64_t session_ns) {
    if (!vvi_time_ok(server_ns) || !vvi_time_ok(session_ns)) return;
    if (!head->have_epoch) begin_epoch(head, epoch);
    if (epoch != head->epoch) return; /* motion and control do not keep each other's order */
    vvi_playout_clock(&head->show.playout, server_ns, session_ns);
    vvi_store64(&head->server_offset_ns, server_ns - session_ns);
}

void vvi_head_take(vvi_head* head, const vvi_message* message, int64_t now_ns, float* scratch) {
    if (!vvi_time_ok(message->presentation_ns) || !vvi_time_ok(message->publish_ns)) {
        vvi_count(&head->counters.dropped, 1);
        return;
    }
    if (!head->have_epoch || message->epoch != head->epoch) begin_epoch(head, message->epoch);
    if (!in_order(head, message)) return;
    vvi_playout_heard(&head->show.playout, now_ns, message->publish_ns);
    if (message->kind == VVW_MOTION) {
        take_motion(head, message, now_ns);
    } else if (message->kind == VVW_AGENT_AUDIO) {
        take_audio(head, message, scratch);
    } else if (message->kind == VVW_CUT) {
        vvi_show_cut(&head->show, message->presentation_ns);
        vvi_count(&head->counters.cuts, 1);
    } else { /* VVD1; a clock that has not started shows 0 */
        if (message->presentation_ns != 0) {
            vvi_head_clock(head, message->epoch, message->publish_ns, message->presentation_ns);
        }
        vvi_head_map(head, message->schema_hash, message->payload, message->n_bytes);
    }
}

/* Which of our values that channel is, -1: none. */
static int32_t value_of(const char* name, const char* unit) {
    for (int32_t i = 0; i < VVI_VALUES; ++i) {
        if (strcmp(name, vvi_value_name((uint32_t)i)) == 0)
            return strcmp(unit, i < VVC_SHAPES ? "1" : "rad") == 0 ? i : -1;
    }
    return -1;
}

void vvi_head_map(vvi_head* head, uint64_t schema_hash, const uint8_t* json, size_t n_bytes) {
    vvi_json names, units, name, unit;
    const char *name_cursor = NULL, *unit_cursor = NULL;
    int32_t channel[VVI_VALUES], n_channels = 0, n_known = 0;
    if (schema_hash == VVI_ARKIT55_HASH || schema_hash == head->mapped_hash) return;
    const vvi_json text = vvi_json_text(json, n_bytes);
    if (!vvi_json_member(text, "channels", &names) || !vvi_json_member(text, "units", &units)) return;
    for (int i = 0; i < VVI_VALUES; ++i) channel[i] = -1;
    while (vvi_json_next(names, &name_cursor, &name) && vvi_json_next(units, &unit_cursor, &unit)) {
        char name_text[40], unit_text[8];
        vvi_json_string(name, name_text, sizeof(name_text));
        vvi_json_string(unit, unit_text, sizeof(unit_text));
        const int32_t value = value_of(name_text, unit_text);
        if (value >= 0) {
            n_known += channel[value] < 0;
            channel[value] = n_channels;
        }
        ++n_channels;
    }
    if (n_known == 0) return;
    memcpy(head->channel, channel, sizeof(channel));
    head->mapped_hash = schema_hash;
}
