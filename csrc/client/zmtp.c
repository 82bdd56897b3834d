/* Greeting, handshake, frames and heartbeats of ZMTP 3.0. */
#include "client/zmtp.h"

#include <stdio.h>
#include <string.h>

#include "wire/layout.h"

#define GREETING_BYTES 64
#define IDLE_NS INT64_C(3000000000)
#define PING_NS INT64_C(1000000000)
#define LONGEST_SKIPPED (UINT64_C(1) << 24) /* a longer frame is nonsense, not a large message */

enum { MORE = 1, LONG = 2, COMMAND = 4 };     /* bits of a frame's flags */
enum { SEALED_MORE = 1, SEALED_COMMAND = 2 }; /* the same inside a CURVE message */
enum { LARGEST = VVW_MAX_MESSAGE_BYTES + VVI_CURVE_OVERHEAD };

static int fail(vvi_zmtp* link, const char* reason) {
    snprintf(link->error, sizeof(link->error), "%s", reason);
    link->state = VVI_ZMTP_CLOSED;
    return -1;
}

static const char* mechanism(const vvi_zmtp* link) { return link->curve.on ? "CURVE" : "NULL"; }

/* ---- Out ---- */

static uint8_t* make_room(vvi_zmtp* link, size_t n_bytes) {
    if (link->out_begin == link->out_end) link->out_begin = link->out_end = 0;
    if (link->out_end + n_bytes > VVI_ZMTP_BUFFER) {
        memmove(link->out, link->out + link->out_begin, link->out_end - link->out_begin);
        link->out_end -= link->out_begin;
        link->out_begin = 0;
    }
    if (link->out_end + n_bytes > VVI_ZMTP_BUFFER) return NULL;
    uint8_t* at = link->out + link->out_end;
    link->out_end += n_bytes;
    return at;
}

/* A frame's head for n_bytes of content; where the content goes, or NULL. */
static uint8_t* begin_frame(vvi_zmtp* link, uint8_t flags, size_t n_bytes) {
    const size_t head = n_bytes > 255 ? 9 : 2;
    uint8_t* at = make_room(link, head + n_bytes);
    if (at == NULL) return NULL;
    at[0] = (uint8_t)(flags | (n_bytes > 255 ? LONG : 0));
    for (size_t i = 1; i < head; ++i) at[i] = (uint8_t)((uint64_t)n_bytes >> (8 * (head - 1 - i)));
    return at + head;
}

static int put_frame(vvi_zmtp* link, uint8_t flags, const uint8_t* first, size_t n_first, const uint8_t* second,
                     size_t n_second) {
    const size_t n_bytes = n_first + n_second;
    if (link->curve.on && link->state == VVI_ZMTP_OPEN) {
        uint8_t* at = begin_frame(link, 0, n_bytes + VVI_CURVE_OVERHEAD);
        const uint8_t sealed = (flags & COMMAND) != 0 ? SEALED_COMMAND : 0;
        return at != NULL && vvi_curve_seal(&link->curve, sealed, first, n_first, second, n_second, at);
    }
    uint8_t* at = begin_frame(link, flags, n_bytes);
    if (at == NULL) return 0;
    if (n_first > 0) memcpy(at, first, n_first);
    if (n_second > 0) memcpy(at + n_first, second, n_second);
    return 1;
}

static void greet(vvi_zmtp* link) {
    uint8_t* at = make_room(link, GREETING_BYTES);
    memset(at, 0, GREETING_BYTES);
    at[0] = 0xFF;
    at[9] = 0x7F;
    at[10] = 3;
    memcpy(at + 12, mechanism(link), strlen(mechanism(link)));
}

/* Our Socket-Type as metadata. */
static size_t put_metadata(const vvi_zmtp* link, uint8_t* at) {
    static const char kName[] = "\013Socket-Type";
    const char* type = link->subscriber ? "SUB" : "DEALER";
    const size_t n_name = sizeof(kName) - 1, n_type = strlen(type);
    memcpy(at, kName, n_name);
    memset(at + n_name, 0, 3);
    at[n_name + 3] = (uint8_t)n_type;
    memcpy(at + n_name + 4, type, n_type);
    return n_name + 4 + n_type;
}

static void send_ready(vvi_zmtp* link) {
    uint8_t command[64] = "\005READY";
    const size_t n_bytes = 6 + put_metadata(link, command + 6);
    put_frame(link, COMMAND, command, n_bytes, NULL, 0);
}

void vvi_zmtp_begin(vvi_zmtp* link, int64_t now_ns) {
    link->state = VVI_ZMTP_GREETING;
    link->in_begin = link->in_end = link->out_begin = link->out_end = 0;
    link->skip = 0;
    link->heard_ns = link->pinged_ns = now_ns;
    greet(link);
}

void vvi_zmtp_end(vvi_zmtp* link) { link->state = VVI_ZMTP_CLOSED; }

const uint8_t* vvi_zmtp_pending(const vvi_zmtp* link, size_t* n_bytes) {
    *n_bytes = link->state == VVI_ZMTP_CLOSED ? 0 : link->out_end - link->out_begin;
    return link->out + link->out_begin;
}

void vvi_zmtp_sent(vvi_zmtp* link, size_t n_bytes) { link->out_begin += n_bytes; }

size_t vvi_zmtp_space(const vvi_zmtp* link) {
    const size_t used = link->out_end - link->out_begin + 9 + VVI_CURVE_OVERHEAD;
    return link->state != VVI_ZMTP_OPEN || used >= VVI_ZMTP_BUFFER ? 0 : VVI_ZMTP_BUFFER - used;
}

int vvi_zmtp_send(vvi_zmtp* link, const uint8_t* first, size_t n_first, const uint8_t* second, size_t n_second) {
    return n_first + n_second <= vvi_zmtp_space(link) && put_frame(link, 0, first, n_first, second, n_second);
}

int vvi_zmtp_subscribe(vvi_zmtp* link, const uint8_t* topic, size_t n_bytes, int on) {
    const uint8_t what = on ? 1 : 0;
    return vvi_zmtp_send(link, &what, 1, topic, n_bytes);
}

const char* vvi_zmtp_closed(const vvi_zmtp* link) {
    if (link->state == VVI_ZMTP_GREETING) {
        return link->curve.on ? "the server closed the connection at its greeting; if it has no keys, open without "
                                "server_key"
                              : "the server closed the connection at its greeting; if it has keys, open with its "
                                "public key (options.server_key)";
    }
    if (link->curve.on && link->state != VVI_ZMTP_OPEN) {
        return "the server closed the connection at the handshake; is server_key its public key, and is this client's "
               "on its allow-list?";
    }
    return "the server closed the connection";
}

/* ---- In ---- */

uint8_t* vvi_zmtp_room(vvi_zmtp* link, size_t* n_bytes) {
    if (link->in_begin > 0) {
        memmove(link->in, link->in + link->in_begin, link->in_end - link->in_begin);
        link->in_end -= link->in_begin;
        link->in_begin = 0;
    }
    *n_bytes = VVI_ZMTP_BUFFER - link->in_end;
    return link->in + link->in_end;
}

void vvi_zmtp_received(vvi_zmtp* link, size_t n_bytes, int64_t now_ns) {
    link->in_end += n_bytes;
    if (n_bytes > 0) link->heard_ns = now_ns;
}

static int is_command(const uint8_t* body, size_t n_bytes, const char* name) {
    const size_t n_name = strlen(name);
    return n_bytes > n_name && body[0] == n_name && memcmp(body + 1, name, n_name) == 0;
}

/* 1: the greeting is taken, 0: wait, -1: failed. */
static int read_greeting(vvi_zmtp* link) {
    const uint8_t* at = link->in + link->in_begin;
    const size_t n_bytes = link->in_end - link->in_begin;
    if ((n_bytes > 0 && at[0] != 0xFF) || (n_bytes > 9 && at[9] != 0x7F)) {
        return fail(link, "what answers on that port does not speak ZeroMQ; is it the server's motion port?");
    }
    if (n_bytes > 10 && at[10] < 3) return fail(link, "the server speaks ZMTP 2 or older; expected ZMTP 3 (ZeroMQ 4)");
    if (n_bytes < GREETING_BYTES) return 0;
    char text[VVI_ZMTP_ERROR], theirs[21] = "";
    memcpy(theirs, at + 12, 20);
    if (strcmp(theirs, mechanism(link)) != 0) {
        const int theirs_curve = strcmp(theirs, "CURVE") == 0;
        snprintf(text, sizeof(text), "the server's security is %.20s, this client's is %s; %s",
                 theirs_curve || strcmp(theirs, "NULL") == 0 ? theirs : "unknown", mechanism(link),
                 link->curve.on ? "start the server with keys, or open without server_key"
                                : "open with the server's public key (options.server_key)");
        return fail(link, text);
    }
    link->in_begin += GREETING_BYTES;
    if (!link->curve.on) {
        send_ready(link);
        link->state = VVI_ZMTP_READY;
        return 1;
    }
    uint8_t hello[VVI_CURVE_HELLO_BYTES];
    if (vvi_curve_hello(&link->curve, hello) == 0) return fail(link, "this build has no CURVE (libsodium)");
    put_frame(link, COMMAND, hello, sizeof(hello), NULL, 0);
    link->state = VVI_ZMTP_WELCOME;
    return 1;
}

/* Properties: name length, name, value length (4 bytes, big-endian), value. */
static int read_metadata(vvi_zmtp* link, const uint8_t* at, size_t n_bytes) {
    const char* expected = link->subscriber ? "PUB" : "ROUTER";
    while (n_bytes > 0) {
        const size_t n_name = at[0];
        if (n_name + 5 > n_bytes) return fail(link, "the server's handshake is malformed");
        const uint8_t* value = at + 1 + n_name + 4;
        const size_t n_value = (size_t)value[-4] << 24 | (size_t)value[-3] << 16 | (size_t)value[-2] << 8 | value[-1];
        if (n_value > n_bytes - n_name - 5) return fail(link, "the server's handshake is malformed");
        if (n_name == 11 && memcmp(at + 1, "Socket-Type", 11) == 0) {
            const int fits = (n_value == strlen(expected) && memcmp(value, expected, n_value) == 0) ||
                             (link->subscriber && n_value == 4 && memcmp(value, "XPUB", 4) == 0);
            if (!fits) {
                return fail(link, link->subscriber ? "that port is no motion port (PUB) of a server; the endpoint "
                                                     "names the first of its three ports"
                                                   : "that port is no control or input port (ROUTER) of a server");
            }
        }
        n_bytes -= n_name + 5 + n_value;
        at = value + n_value;
    }
    link->state = VVI_ZMTP_OPEN;
    return 1;
}

static int refused(vvi_zmtp* link, const uint8_t* body, size_t n_bytes) {
    char text[VVI_ZMTP_ERROR];
    size_t n_reason = n_bytes > 6 ? body[6] : 0;
    if (n_reason > n_bytes - 7) n_reason = 0;
    snprintf(text, sizeof(text), "the server refused the connection (%.*s); are this client's keys on its allow-list?",
             n_reason > 0 ? (int)n_reason : 9, n_reason > 0 ? (const char*)body + 7 : "no reason");
    for (char* c = text; *c != '\0'; ++c) {
        if ((uint8_t)*c < 0x20 || (uint8_t)*c > 0x7E) *c = '?';
    }
    return fail(link, text);
}

static int handshake(vvi_zmtp* link, uint8_t* body, size_t n_bytes) {
    if (is_command(body, n_bytes, "ERROR")) return refused(link, body, n_bytes);
    if (link->state == VVI_ZMTP_WELCOME && is_command(body, n_bytes, "WELCOME")) {
        uint8_t metadata[64], command[512];
        const size_t n_metadata = put_metadata(link, metadata);
        const size_t n_command = vvi_curve_initiate(&link->curve, body, n_bytes, metadata, n_metadata, command);
        if (n_command == 0) return fail(link, "the server does not have the key that server_key names");
        put_frame(link, COMMAND, command, n_command, NULL, 0);
        link->state = VVI_ZMTP_READY;
        return 1;
    }
    if (link->state == VVI_ZMTP_READY && is_command(body, n_bytes, "READY")) {
        if (!link->curve.on) return read_metadata(link, body + 6, n_bytes - 6);
        size_t n_metadata = 0;
        const uint8_t* metadata = vvi_curve_ready(&link->curve, body, n_bytes, &n_metadata);
        return metadata == NULL ? fail(link, "the server's READY cannot be opened")
                                : read_metadata(link, metadata, n_metadata);
    }
    return fail(link, "the server's handshake is malformed");
}

static void answer_command(vvi_zmtp* link, const uint8_t* body, size_t n_bytes) {
    if (!is_command(body, n_bytes, "PING") || n_bytes < 7 || n_bytes > 7 + 16) return; /* name, ttl, context */
    put_frame(link, COMMAND, (const uint8_t*)"\004PONG", 5, body + 7, n_bytes - 7);
}

/* Takes the next whole frame's body; 0: not there yet. */
static int take_frame(vvi_zmtp* link, uint8_t* flags, uint8_t** body, size_t* n_body) {
    for (;;) {
        const size_t n_bytes = link->in_end - link->in_begin;
        if (link->skip > 0) {
            const size_t n_skipped = n_bytes < link->skip ? n_bytes : (size_t)link->skip;
            link->in_begin += n_skipped;
            link->skip -= n_skipped;
            if (link->skip > 0) return 0;
            continue;
        }
        const uint8_t* at = link->in + link->in_begin;
        const size_t head = n_bytes > 0 && (at[0] & LONG) != 0 ? 9 : 2;
        if (n_bytes < head) return 0;
        if ((at[0] & ~(MORE | LONG | COMMAND)) != 0) return fail(link, "the connection is out of step (frame flags)");
        uint64_t length = 0;
        for (size_t i = 1; i < head; ++i) length = length << 8 | at[i];
        if (length > LARGEST) {
            if (length > LONGEST_SKIPPED) return fail(link, "the connection is out of step (frame length)");
            link->in_begin += head;
            link->skip = length;
            link->oversized += 1;
            continue;
        }
        if (n_bytes < head + length) return 0;
        *flags = at[0];
        *body = link->in + link->in_begin + head;
        *n_body = (size_t)length;
        link->in_begin += head + *n_body;
        return 1;
    }
}

int vvi_zmtp_next(vvi_zmtp* link, const uint8_t** message, size_t* n_bytes) {
    while (link->state != VVI_ZMTP_CLOSED) {
        if (link->state == VVI_ZMTP_GREETING) {
            const int result = read_greeting(link);
            if (result <= 0) return result;
            continue;
        }
        uint8_t flags = 0, *body = NULL;
        size_t n_body = 0;
        const int taken = take_frame(link, &flags, &body, &n_body);
        if (taken <= 0) return taken;
        if (link->state != VVI_ZMTP_OPEN) {
            if (handshake(link, body, n_body) < 0) return -1;
            continue;
        }
        if (link->curve.on) {
            uint8_t sealed = 0;
            body = vvi_curve_unseal(&link->curve, body, n_body, &sealed, &n_body);
            if (body == NULL) return fail(link, "a message could not be decrypted");
            flags = (uint8_t)((sealed & SEALED_MORE ? MORE : 0) | (sealed & SEALED_COMMAND ? COMMAND : 0));
        }
        if ((flags & COMMAND) != 0) {
            answer_command(link, body, n_body);
        } else if ((flags & MORE) == 0) { /* of several parts the last */
            *message = body;
            *n_bytes = n_body;
            return 1;
        }
    }
    return -1;
}

int vvi_zmtp_tick(vvi_zmtp* link, int64_t now_ns) {
    if (link->state == VVI_ZMTP_CLOSED) return 0;
    if (now_ns - link->heard_ns > IDLE_NS) {
        return fail(link, link->state == VVI_ZMTP_OPEN ? "nothing was heard from the server for 3 s"
                                                       : "the server did not finish the handshake within 3 s");
    }
    if (link->state == VVI_ZMTP_OPEN && now_ns - link->heard_ns > PING_NS && now_ns - link->pinged_ns > PING_NS) {
        link->pinged_ns = now_ns;
        put_frame(link, COMMAND, (const uint8_t*)"\004PING\0\0", 7, NULL, 0);
    }
    return 0;
}
