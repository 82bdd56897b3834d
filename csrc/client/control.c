/* Requests to the server and what comes of them: the caller writes JSON into a queue, the client's thread sends it and
 * keeps the answer.  Clock pings and descriptions of new heads are asked for on the way. */
#include <stdio.h>
#include <string.h>

#include "client/core.h"
#include "client/json.h"

#define MS INT64_C(1000000)
static const int64_t kPingNs = 1000 * MS;
static const int64_t kPatienceNs = 3000 * MS;
enum { LONGEST = 512, N_PINGS = 8 };

/* ---- Callers ---- */

typedef struct draft {
    char text[LONGEST];
    char* at;
} draft;

static const char* end_of(const draft* made) { return made->text + LONGEST - 1; }

static void put(draft* made, const char* text) { vvi_json_put(&made->at, end_of(made), text); }

static void put_string(draft* made, const char* text) { vvi_json_put_string(&made->at, end_of(made), text); }

static int64_t begin(vvc_client* client, draft* made, const char* what, const char* head) {
    const int64_t id = vvi_add64(&client->last_request, 1);
    made->at = made->text;
    put(made, "{\"request\": ");
    put_string(made, what);
    put(made, ", \"id\": ");
    vvi_json_put_integer(&made->at, end_of(made), id);
    put(made, ", \"head\": ");
    put_string(made, head);
    return id;
}

static int64_t submit(vvc_client* client, draft* made, int64_t id) {
    put(made, "}");
    const size_t n_text = (size_t)(made->at - made->text);
    if (made->at == end_of(made)) {
        return -(int64_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "request: longer than %d bytes", LONGEST - 1);
    }
    uint8_t* record = vvi_outbox_reserve(&client->requests, sizeof(id) + n_text);
    if (record == NULL) return -(int64_t)vvi_fail(VVC_ERROR_FULL, "too many requests wait for the server");
    memcpy(record, &id, sizeof(id));
    memcpy(record + sizeof(id), made->text, n_text);
    vvi_outbox_commit(record, sizeof(id) + n_text);
    return id;
}

static int64_t bad_client(void) {
    return -(int64_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "client: expected one, is NULL");
}

static int64_t bad_name(const char* name) {
    return -(int64_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                              "head \"%.40s\": expected 1 to 16 bytes of UTF-8 without control characters",
                              name == NULL ? "" : name);
}

static int64_t bad_handle(int32_t head) {
    return -(int64_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "head %ld: expected a handle of vvc_follow", (long)head);
}

int64_t vvc_open_head(vvc_client* client, const char* head, const vvc_head_options* options) {
    draft made;
    vvc_head_options given;
    if (client == NULL) return bad_client();
    if (head == NULL || !vvi_head_name_ok(head)) return bad_name(head);
    memset(&given, 0, sizeof(given));
    if (options != NULL) {
        memcpy(&given, options, options->struct_size < sizeof(given) ? options->struct_size : sizeof(given));
    }
    if (given.seed > (uint64_t)INT64_MAX) {
        return -(int64_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "seed: expected 0 to 2^63 - 1");
    }
    const int64_t id = begin(client, &made, "open", head);
    put(&made, ", \"seed\": ");
    vvi_json_put_integer(&made.at, end_of(&made), (int64_t)given.seed);
    put(&made, given.live ? ", \"agent_audio\": \"live\"" : "");
    put(&made, given.norm16 ? ", \"dtype\": \"norm16\"" : "");
    return submit(client, &made, id);
}

int64_t vvc_close_head(vvc_client* client, const char* head) {
    draft made;
    if (client == NULL) return bad_client();
    if (head == NULL || !vvi_head_name_ok(head)) return bad_name(head);
    const int64_t id = begin(client, &made, "close", head);
    return submit(client, &made, id);
}

int64_t vvc_set_dial(vvc_client* client, int32_t handle, const char* dial, double value) {
    draft made;
    if (client == NULL) return bad_client();
    const vvi_head* head = vvi_head_at(client, handle);
    if (head == NULL) return bad_handle(handle);
    if (dial == NULL || strlen(dial) > 64) {
        return -(int64_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "dial: expected a name of at most 64 bytes");
    }
    if (!(value > -1e9 && value < 1e9)) {
        return -(int64_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "dial %.64s: expected a number within +-1e9", dial);
    }
    const int64_t id = begin(client, &made, "dials", head->name);
    put(&made, ", \"set\": {");
    put_string(&made, dial);
    put(&made, ": ");
    vvi_json_put_number(&made.at, end_of(&made), value);
    put(&made, "}");
    return submit(client, &made, id);
}

int64_t vvc_cancel(vvc_client* client, int32_t handle, int64_t from_session_ns) {
    draft made;
    if (client == NULL) return bad_client();
    const vvi_head* head = vvi_head_at(client, handle);
    if (head == NULL) return bad_handle(handle);
    const int64_t id = begin(client, &made, "cancel", head->name);
    if (from_session_ns != VVC_TIME_NEXT) {
        put(&made, ", \"from_ns\": ");
        vvi_json_put_integer(&made.at, end_of(&made), from_session_ns);
    }
    return submit(client, &made, id);
}

vvc_result vvc_get_reply(vvc_client* client, int64_t request, char* text, size_t capacity) {
    if (text != NULL && capacity > 0) text[0] = '\0';
    if (client == NULL || request <= 0 || request > vvi_load64(&client->last_request)) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "request %lld: there is none of that number", (long long)request);
    }
    vvi_reply* reply = &client->replies[request % VVI_REPLIES];
    const int64_t kept = vvi_load64(&reply->request);
    if (kept < request) return VVC_PENDING;
    if (kept > request) return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "request %lld: forgotten", (long long)request);
    if (!vvi_lock_texts(client)) return VVC_PENDING;
    const vvc_result result = (vvc_result)vvi_load32(&reply->status);
    if (result == VVC_ERROR_REFUSED) vvi_copy_text(text, capacity, reply->text);
    vvi_unlock_texts(client);
    return result;
}

/* ---- The client's thread ---- */

static vvi_zmtp* link_of(vvc_client* client) { return &client->links[VVC_LINK_CONTROL].zmtp; }

static void settle(vvc_client* client, vvi_reply* reply, vvc_result result, const char* text) {
    while (!vvi_lock_texts(client)) continue;
    vvi_copy_text(reply->text, sizeof(reply->text), text);
    vvi_store32(&reply->status, (uint32_t)result);
    vvi_unlock_texts(client);
    if (result != VVC_OK) vvi_say(client, VVC_LOG_ERROR, "request %lld: %s", (long long)reply->request, text);
}

static void send_request(vvc_client* client, int64_t now_ns) {
    size_t n_bytes = 0;
    const uint8_t* record = vvi_outbox_peek(&client->requests, &n_bytes);
    while (record != NULL) {
        int64_t id;
        memcpy(&id, record, sizeof(id));
        vvi_reply* reply = &client->replies[id % VVI_REPLIES];
        if (reply->request != id) {
            vvi_store32(&reply->status, VVC_PENDING);
            reply->since_ns = now_ns;
            vvi_store64(&reply->request, id);
        }
        if (!vvi_zmtp_send(link_of(client), NULL, 0, record + sizeof(id), n_bytes - sizeof(id))) {
            if (now_ns - reply->since_ns < 1000 * MS) return; /* perhaps the connection is about to stand */
            settle(client, reply, VVC_ERROR_REFUSED, "no connection to the server's control port");
        }
        vvi_outbox_pop(&client->requests);
        record = vvi_outbox_peek(&client->requests, &n_bytes);
    }
}

static void ping(vvc_client* client, int64_t now_ns) {
    char text[160], *at = text;
    const char* end = text + sizeof(text);
    vvi_json_put(&at, end, "{\"request\": \"clock\", \"id\": 0, \"client_ns\": ");
    vvi_json_put_integer(&at, end, now_ns);
    vvi_json_put(&at, end, "}");
    vvi_zmtp_send(link_of(client), NULL, 0, (const uint8_t*)text, (size_t)(at - text));
}

/* A head that is followed from now on is described at once, not only with its next VVD1. */
static void ask_for_heads(vvc_client* client) {
    for (int i = 0; i < VVI_MAX_HEADS; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head == NULL) return;
        const uint32_t followed = vvi_load32(&head->followed);
        if (head->asked == followed) continue;
        head->asked = followed;
        if (!followed) continue;
        char text[160], *at = text;
        const char* end = text + sizeof(text);
        vvi_json_put(&at, end, "{\"request\": \"describe\", \"id\": -1, \"head\": ");
        vvi_json_put_string(&at, end, head->name);
        vvi_json_put(&at, end, "}");
        if (!vvi_zmtp_send(link_of(client), NULL, 0, (const uint8_t*)text, (size_t)(at - text))) head->asked = 0;
    }
}

static void give_up(vvc_client* client, int64_t now_ns, int64_t patience_ns, const char* why) {
    for (int i = 0; i < VVI_REPLIES; ++i) {
        vvi_reply* reply = &client->replies[i];
        if (reply->request == 0 || reply->status != VVC_PENDING || now_ns - reply->since_ns < patience_ns) continue;
        settle(client, reply, VVC_ERROR_REFUSED, why);
    }
}

void vvi_control_opened(vvc_client* client) {
    static const char kAll[] =
        "{\"request\": \"describe\", \"id\": -1}"; /* too many heads for one reply: their VVD1 come */
    vvi_zmtp_send(link_of(client), NULL, 0, (const uint8_t*)kAll, sizeof(kAll) - 1);
    client->pinged_ns = 0;
    client->n_pings = 0;
    for (int i = 0; i < VVI_MAX_HEADS; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head != NULL) head->asked = 0;
    }
}

void vvi_control_lost(vvc_client* client) {
    vvi_store64(&client->round_trip_ns, -1);
    vvi_store64(&client->clock_offset_ns, INT64_MIN);
    give_up(client, 0, INT64_MIN, "the connection to the control port was lost");
}

void vvi_control_turn(vvc_client* client, int64_t now_ns) {
    send_request(client, now_ns);
    if (client->pinged_ns != 0 && now_ns - client->pinged_ns < 10 * MS) return;
    give_up(client, now_ns, kPatienceNs, "the server did not answer within 3 s");
    if (link_of(client)->state != VVI_ZMTP_OPEN) return;
    ask_for_heads(client);
    if (client->pinged_ns != 0 && now_ns - client->pinged_ns < kPingNs) return;
    client->pinged_ns = now_ns;
    ping(client, now_ns);
}

static int member_integer(vvi_json object, const char* name, int64_t* value) {
    vvi_json found;
    return vvi_json_member(object, name, &found) && vvi_json_integer(found, value) && vvi_time_ok(*value);
}

/* Of the last few round trips the shortest tells best how the clocks stand. */
static void take_clock(vvc_client* client, vvi_json reply, int64_t now_ns) {
    int64_t sent, received, answered;
    if (!member_integer(reply, "client_ns", &sent) || !member_integer(reply, "server_receive_ns", &received) ||
        !member_integer(reply, "server_send_ns", &answered)) {
        return;
    }
    const int64_t trip_ns = (now_ns - sent) - (answered - received);
    if (trip_ns < 0) return;
    const int64_t slot = client->n_pings++ % N_PINGS;
    client->pings[slot].trip_ns = trip_ns;
    client->pings[slot].offset_ns = ((received - sent) + (answered - now_ns)) / 2;
    int64_t best = slot;
    for (int64_t i = 0; i < N_PINGS && i < client->n_pings; ++i) {
        if (client->pings[i].trip_ns < client->pings[best].trip_ns) best = i;
    }
    vvi_store64(&client->round_trip_ns, client->pings[best].trip_ns);
    vvi_store64(&client->clock_offset_ns, client->pings[best].offset_ns);
}

static void take_description(vvc_client* client, vvi_json reply, int64_t now_ns) {
    vvi_json heads, description, name, running;
    const char* cursor = NULL;
    if (!vvi_json_member(reply, "heads", &heads)) return;
    while (vvi_json_next(heads, &cursor, &description)) {
        char text[VVW_HEAD_BYTES + 1] = "";
        int64_t epoch, server_ns, session_ns;
        if (!vvi_json_member(description, "head", &name) || !vvi_json_string(name, text, sizeof(text)) ||
            !vvi_head_name_ok(text)) {
            continue;
        }
        vvi_note_head(client, text, now_ns);
        for (int i = 0; i < VVI_MAX_HEADS; ++i) {
            vvi_head* head = vvi_head_at(client, i);
            if (head == NULL) break;
            if (strcmp(head->name, text) != 0 || !vvi_load32(&head->followed)) continue;
            if (member_integer(description, "epoch", &epoch) && member_integer(description, "server_ns", &server_ns) &&
                member_integer(description, "session_ns", &session_ns) &&
                vvi_json_member(description, "running", &running) && vvi_json_true(running)) {
                vvi_head_clock(head, (uint32_t)epoch, server_ns, session_ns);
            }
        }
    }
}

void vvi_control_reply(vvc_client* client, const uint8_t* bytes, size_t n_bytes, int64_t now_ns) {
    vvi_json text = vvi_json_text(bytes, n_bytes), member, message;
    int64_t id = 0;
    const int ok = vvi_json_member(text, "ok", &member) && vvi_json_true(member);
    if (!vvi_json_member(text, "id", &member) || !vvi_json_integer(member, &id)) return;
    if (id == 0) {
        take_clock(client, text, now_ns);
    } else if (id == -1) {
        take_description(client, text, now_ns);
    } else if (id > 0) {
        char reason[VVI_LINE_BYTES] = "";
        vvi_reply* reply = &client->replies[id % VVI_REPLIES];
        if (reply->request != id || reply->status != VVC_PENDING) return;
        if (!ok && vvi_json_member(text, "error", &member) && vvi_json_member(member, "message", &message)) {
            vvi_json_string(message, reason, sizeof(reason));
        }
        settle(client, reply, ok ? VVC_OK : VVC_ERROR_REFUSED, reason);
    }
}
