/* What is going on, for people: log lines, statistics, and why nothing moves. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/core.h"

int vvi_lock_texts(vvc_client* client) {
    for (int tries = 0; tries < 2000; ++tries) {
        if (vvi_try(&client->text_busy)) return 1;
    }
    return 0;
}

void vvi_unlock_texts(vvc_client* client) { vvi_leave(&client->text_busy); }

/* Cuts between characters of UTF-8. */
void vvi_copy_text(char* to, size_t capacity, const char* from) {
    if (to == NULL || capacity == 0) return;
    size_t n_bytes = strlen(from);
    if (n_bytes >= capacity) {
        n_bytes = capacity - 1;
        while (n_bytes > 0 && ((uint8_t)from[n_bytes] & 0xC0) == 0x80) --n_bytes;
    }
    memcpy(to, from, n_bytes);
    to[n_bytes] = '\0';
}

void vvi_say(vvc_client* client, vvc_log_level level, const char* format, ...) {
    char line[VVI_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (client->options.log != NULL) client->options.log(client->options.log_user, level, line);
    if (!vvi_lock_texts(client)) return;
    vvi_log* log = &client->log;
    vvi_copy_text(log->lines[log->written % VVI_LOG_LINES], VVI_LINE_BYTES, line);
    log->levels[log->written % VVI_LOG_LINES] = level;
    log->written += 1;
    if (log->written - log->read > VVI_LOG_LINES) log->read = log->written - VVI_LOG_LINES;
    vvi_unlock_texts(client);
}

int32_t vvc_next_log(vvc_client* client, int32_t* level, char* text, size_t capacity) {
    if (client == NULL || !vvi_lock_texts(client)) return 0;
    vvi_log* log = &client->log;
    const int there = log->read < log->written;
    if (there) {
        vvi_copy_text(text, capacity, log->lines[log->read % VVI_LOG_LINES]);
        if (level != NULL) *level = log->levels[log->read % VVI_LOG_LINES];
        log->read += 1;
    }
    vvi_unlock_texts(client);
    return there;
}

int32_t vvc_list_heads(vvc_client* client, char* names, size_t capacity) {
    if (names != NULL && capacity > 0) names[0] = '\0';
    if (client == NULL || !vvi_lock_texts(client)) return 0;
    const int32_t n_known = client->n_known;
    size_t used = 0;
    for (int32_t i = 0; i < n_known && names != NULL; ++i) {
        const size_t n_name = strlen(client->known[i]);
        if (used + n_name + 2 > capacity) break;
        if (used > 0) names[used++] = '\n';
        memcpy(names + used, client->known[i], n_name + 1);
        used += n_name;
    }
    vvi_unlock_texts(client);
    return n_known;
}

/* ---- Statistics ---- */

static uint64_t count(const int64_t* counter) { return (uint64_t)vvi_load64(counter); }

static int64_t present(const vvc_client* client) {
    return (client->options.flags & VVC_MANUAL) != 0 ? vvi_load64(&client->kept_ns) : vvi_monotonic_ns();
}

static int64_t silence_of(const vvc_client* client, const vvi_head* head) {
    const int64_t last_ns = vvi_load64(&head->last_frame_ns);
    return last_ns == INT64_MIN ? -1 : present(client) - last_ns;
}

static void head_stats(const vvc_client* client, const vvi_head* head, vvc_stats* stats) {
    const vvi_head_counters* counters = &head->counters;
    stats->frames = count(&counters->frames);
    stats->lost = count(&counters->lost);
    stats->late = count(&counters->late);
    stats->dropped = count(&counters->dropped);
    stats->cuts = count(&counters->cuts);
    stats->restarts = count(&counters->restarts);
    stats->starved = count(&head->show.starved);
    stats->audio_packets = count(&counters->audio_packets);
    stats->audio_jumps = count(&head->show.voice.jumps);
    stats->delay_ns = vvi_show_delay(&head->show);
    stats->target_delay_ns = vvi_load64(&head->show.playout.target_ns);
    stats->silence_ns = silence_of(client, head);
    stats->epoch = vvi_load32(&head->epoch);
    stats->followed = vvi_load32(&head->followed);
    stats->schema_hash = count(&head->schema_hash);
}

vvc_result vvc_get_stats(vvc_client* client, int32_t handle, vvc_stats* stats) {
    vvc_stats all;
    const vvi_head* head = client == NULL ? NULL : vvi_head_at(client, handle);
    if (client == NULL || stats == NULL || stats->struct_size < sizeof(uint32_t) || (handle != -1 && head == NULL)) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                        "vvc_get_stats: expected a client, a handle or -1, and stats with struct_size set");
    }
    memset(&all, 0, sizeof(all));
    all.struct_size = stats->struct_size;
    all.connection = vvi_load32(&client->links[VVC_LINK_MOTION].state);
    all.control = vvi_load32(&client->links[VVC_LINK_CONTROL].state);
    all.n_connects = (uint32_t)vvi_load64(&client->n_connects);
    all.round_trip_ns = vvi_load64(&client->round_trip_ns);
    all.bytes = count(&client->n_bytes);
    all.malformed = count(&client->malformed);
    all.unsent = count(&client->unsent);
    all.silence_ns = -1;
    if (head != NULL) head_stats(client, head, &all);
    memcpy(stats, &all, stats->struct_size < sizeof(all) ? stats->struct_size : sizeof(all));
    return VVC_OK;
}

/* ---- Why nothing moves ---- */

static void connection_text(vvc_client* client, char* text, size_t capacity) {
    const uint32_t state = vvi_load32(&client->links[VVC_LINK_MOTION].state);
    char why[VVI_LINE_BYTES] = "";
    if (vvi_lock_texts(client)) {
        memcpy(why, client->links[VVC_LINK_MOTION].failure, sizeof(why));
        vvi_unlock_texts(client);
    }
    if (state == VVC_CONNECTED) {
        const int control = vvi_load32(&client->links[VVC_LINK_CONTROL].state) == VVC_CONNECTED;
        snprintf(text, capacity, "connected to %s%s", client->endpoint,
                 control || (client->options.flags & VVC_NO_CONTROL) != 0 ? "" : " (its control port does not answer)");
        return;
    }
    snprintf(text, capacity, "no connection to %s: %s", client->endpoint,
             why[0] != '\0'              ? why
             : state == VVC_DISCONNECTED ? "not tried yet"
                                         : "connecting");
}

static void unknown_head_text(vvc_client* client, const vvi_head* head, char* text, size_t capacity) {
    char names[512];
    const int32_t n_heads = vvc_list_heads(client, names, sizeof(names));
    for (char* c = names; *c != '\0'; ++c) {
        if (*c == '\n') *c = ' ';
    }
    if (n_heads == 0) {
        snprintf(text, capacity,
                 "connected to %s, but it has no heads; open \"%s\" (vvc_open_head, or visavis serve --head)",
                 client->endpoint, head->name);
        return;
    }
    snprintf(text, capacity, "no head \"%s\" on %s; it has: %s", head->name, client->endpoint, names);
}

static int is_known(vvc_client* client, const char* name) {
    int known = 0;
    if (!vvi_lock_texts(client)) return 0;
    for (int32_t i = 0; i < client->n_known; ++i) known |= strcmp(client->known[i], name) == 0;
    vvi_unlock_texts(client);
    return known;
}

static void silent_text(vvc_client* client, const vvi_head* head, int64_t silence_ns, char* text, size_t capacity) {
    const uint32_t n_foreign = vvi_load32(&head->foreign);
    if (n_foreign != 0) {
        snprintf(
            text, capacity,
            "head \"%s\" sends %lu channels of schema 0x%016llx; expected the 55 of arkit55 or others of their names "
            "and units: start the server with an arkit55 model",
            head->name, (unsigned long)n_foreign, (unsigned long long)vvi_load64(&head->schema_hash));
    } else if (vvi_load32(&head->closed)) {
        snprintf(text, capacity, "head \"%s\" has been closed on the server", head->name);
    } else if (!is_known(client, head->name)) {
        unknown_head_text(client, head, text, capacity);
    } else if (silence_ns < 0) {
        snprintf(text, capacity, "head \"%s\" is there, but no frame has come yet", head->name);
    } else {
        snprintf(text, capacity, "head \"%s\": no frame for %.1f s; the server is connected, but its engine is behind",
                 head->name, (double)silence_ns * 1e-9);
    }
}

vvc_result vvc_status_text(vvc_client* client, int32_t handle, char* text, size_t capacity) {
    const vvi_head* head = client == NULL ? NULL : vvi_head_at(client, handle);
    char line[1024];
    if (client == NULL || text == NULL || capacity == 0 || (handle != -1 && head == NULL)) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "vvc_status_text: expected a client, a handle or -1, and room");
    }
    const int manual = (client->options.flags & VVC_MANUAL) != 0;
    const int connected = vvi_load32(&client->links[VVC_LINK_MOTION].state) == VVC_CONNECTED;
    const int64_t silence_ns = head == NULL ? 0 : silence_of(client, head);
    const int moves = silence_ns >= 0 && silence_ns < 1000000000 && !(head != NULL && vvi_load32(&head->closed));
    if (head == NULL || (!connected && !manual)) {
        connection_text(client, line, sizeof(line));
    } else if (!vvi_load32(&head->followed)) {
        snprintf(line, sizeof(line), "head \"%s\" is not followed (vvc_follow)", head->name);
    } else if (!moves) {
        silent_text(client, head, silence_ns, line, sizeof(line));
    } else {
        snprintf(line, sizeof(line),
                 "head \"%s\" is live: shown %.0f ms after its clock, %llu frames, %llu lost, %llu late", head->name,
                 (double)vvi_show_delay(&head->show) * 1e-6, (unsigned long long)count(&head->counters.frames),
                 (unsigned long long)count(&head->counters.lost), (unsigned long long)count(&head->counters.late));
    }
    vvi_copy_text(text, capacity, line);
    return VVC_OK;
}
