/* The client's thread: three connections, their timers, and where their messages go. */
#include <stdio.h>
#include <string.h>

#include "client/core.h"
#include "client/tcp.h"

#define MS INT64_C(1000000)
static const int64_t kRetryNs = 200 * MS;
static const int64_t kHousekeepNs = 10 * MS;

static void set_state(vvi_link* link, vvc_connection state) { vvi_store32(&link->state, state); }

void vvi_link_begin(vvc_client* client, int index, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    vvi_zmtp_begin(&link->zmtp, now_ns);
    set_state(link, VVC_HANDSHAKE);
}

void vvi_link_lost(vvc_client* client, int index, const char* why, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    const int was_connected = link->state == VVC_CONNECTED;
    vvi_zmtp_end(&link->zmtp);
    link->connecting = 0;
    link->retry_ns = now_ns + kRetryNs;
    set_state(link, VVC_DISCONNECTED);
    if (vvi_lock_texts(client)) {
        snprintf(link->failure, sizeof(link->failure), "%s", why);
        vvi_unlock_texts(client);
    }
    if (!link->told && index == VVC_LINK_MOTION) {
        vvi_say(client, VVC_LOG_WARNING, "no connection to %s: %s; trying on", client->endpoint, why);
    }
    link->told = 1;
    if (index == VVC_LINK_CONTROL && was_connected) vvi_control_lost(client);
}

static void opened(vvc_client* client, int index) {
    vvi_link* link = &client->links[index];
    set_state(link, VVC_CONNECTED);
    link->told = 0;
    if (vvi_lock_texts(client)) {
        link->failure[0] = '\0';
        vvi_unlock_texts(client);
    }
    if (index == VVC_LINK_CONTROL) vvi_control_opened(client);
    if (index != VVC_LINK_MOTION) return;
    vvi_count(&client->n_connects, 1);
    vvi_say(client, VVC_LOG_INFO, "connected to %s", client->endpoint);
    vvi_zmtp_subscribe(&link->zmtp, (const uint8_t*)"VVD1", 4, 1);
    for (int i = 0; i < VVI_MAX_HEADS; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head == NULL) break;
        head->subscribed = 0;
    }
}

/* Brings the server's list of topics in line with what the game follows. */
static void subscribe_heads(vvc_client* client) {
    static const char* const kTopics[] = {"VVM1", "VVC1", "VVA1"};
    vvi_zmtp* zmtp = &client->links[VVC_LINK_MOTION].zmtp;
    const int n_topics = (client->options.flags & VVC_NO_AUDIO) != 0 ? 2 : 3;
    for (int i = 0; i < VVI_MAX_HEADS; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head == NULL) break;
        const uint32_t followed = vvi_load32(&head->followed);
        if (followed == head->subscribed) continue;
        if (vvi_zmtp_space(zmtp) < 256) return; /* the rest in the next turn */
        for (int t = 0; t < n_topics; ++t) {
            uint8_t topic[VVW_TOPIC_BYTES] = {0};
            memcpy(topic, kTopics[t], 4);
            memcpy(topic + 4, head->name, strlen(head->name));
            vvi_zmtp_subscribe(zmtp, topic, sizeof(topic), (int)followed);
        }
        if (!followed) memset(head->have_sequence, 0, sizeof(head->have_sequence)); /* what is missed now is not lost */
        head->subscribed = followed;
    }
}

void vvi_note_head(vvc_client* client, const char* name, int64_t now_ns) {
    int at = 0;
    while (at < client->n_known && strcmp(client->known[at], name) != 0) ++at;
    if (at < client->n_known) {
        client->known_ns[at] = now_ns;
        return;
    }
    if (at == VVI_MAX_HEADS || !vvi_lock_texts(client)) return;
    memcpy(client->known[at], name, strlen(name) + 1);
    client->known_ns[at] = now_ns;
    client->n_known = at + 1;
    vvi_unlock_texts(client);
}

/* Heads that have not been described for a while are gone. */
static void forget_known(vvc_client* client, int64_t now_ns) {
    for (int i = client->n_known - 1; i >= 0; --i) {
        if (now_ns - client->known_ns[i] < 4000 * MS || !vvi_lock_texts(client)) continue;
        client->n_known -= 1;
        client->known_ns[i] = client->known_ns[client->n_known];
        memcpy(client->known[i], client->known[client->n_known], sizeof(client->known[i]));
        vvi_unlock_texts(client);
    }
}

void vvi_take_message(vvc_client* client, const uint8_t* bytes, size_t n_bytes, int64_t now_ns) {
    vvi_message message;
    if (vvi_decode(bytes, n_bytes, &message) != NULL || message.kind > VVW_DESCRIBE) {
        vvi_count(&client->malformed, 1);
        return;
    }
    if (message.kind == VVW_DESCRIBE) vvi_note_head(client, message.head, now_ns);
    for (int i = 0; i < VVI_MAX_HEADS; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head == NULL) return;
        if (strcmp(head->name, message.head) != 0) continue;
        if (vvi_load32(&head->followed)) vvi_head_take(head, &message, now_ns, client->scratch);
        return;
    }
}

int vvi_link_read(vvc_client* client, int index, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    const uint8_t* bytes = NULL;
    size_t n_bytes = 0;
    for (;;) {
        const int before = link->zmtp.state == VVI_ZMTP_OPEN;
        const int found = vvi_zmtp_next(&link->zmtp, &bytes, &n_bytes);
        if (!before && link->zmtp.state == VVI_ZMTP_OPEN) opened(client, index);
        if (found < 0) {
            vvi_link_lost(client, index, link->zmtp.error, now_ns);
            return 0;
        }
        if (found == 0) return 1;
        if (index == VVC_LINK_MOTION) vvi_take_message(client, bytes, n_bytes, now_ns);
        if (index == VVC_LINK_CONTROL) vvi_control_reply(client, bytes, n_bytes, now_ns);
    }
}

/* What need not be done with every message. */
static void keep_house(vvc_client* client, int64_t now_ns) {
    forget_known(client, now_ns);
    if (client->links[VVC_LINK_MOTION].zmtp.state == VVI_ZMTP_OPEN) subscribe_heads(client);
    for (int i = 0; i < VVI_MAX_HEADS; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head == NULL) break;
        vvi_playout_tick(&head->show.playout, now_ns);
    }
}

int vvi_link_turn(vvc_client* client, int index, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    if (vvi_zmtp_tick(&link->zmtp, now_ns) < 0) {
        vvi_link_lost(client, index, link->zmtp.error, now_ns);
        return 0;
    }
    if (index == VVC_LINK_MOTION && now_ns - client->kept_ns >= kHousekeepNs) {
        vvi_store64(&client->kept_ns, now_ns);
        keep_house(client, now_ns);
    }
    if (index == VVC_LINK_CONTROL) vvi_control_turn(client, now_ns);
    if (index == VVC_LINK_INPUT) vvi_uplink_turn(client, now_ns);
    return 1;
}

#ifndef VVC_NO_SOCKETS

static const int64_t kConnectNs = 3000 * MS;
static const char* const kWhat[VVI_LINKS] = {"motion", "control", "input"};

static int wanted(const vvc_client* client, int index) {
    if (index == VVC_LINK_CONTROL) return (client->options.flags & VVC_NO_CONTROL) == 0;
    return index == VVC_LINK_MOTION || vvi_load32(&client->wants_input) != 0;
}

static void drop_socket(vvi_link* link) {
    if (link->socket != VVI_NO_SOCKET) vvi_tcp_close(link->socket);
    link->socket = VVI_NO_SOCKET;
}

/* On the way to a TCP connection; 1: it stands. */
static int connect_link(vvc_client* client, int index, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    char why[VVI_LINE_BYTES] = "";
    if (link->socket == VVI_NO_SOCKET) {
        if (now_ns < link->retry_ns || !wanted(client, index)) return 0;
        link->socket = vvi_tcp_connect(client->host, link->port, why, sizeof(why));
        link->began_ns = now_ns;
        link->connecting = link->socket != VVI_NO_SOCKET;
        if (!link->connecting) {
            vvi_link_lost(client, index, why, now_ns);
            return 0;
        }
        set_state(link, VVC_CONNECTING);
    }
    if (!link->connecting) return 1;
    int result = vvi_tcp_connected(link->socket, why, sizeof(why));
    if (result == 0 && now_ns - link->began_ns > kConnectNs) {
        snprintf(why, sizeof(why), "the %s port does not answer; is it the right machine, and its firewall open?",
                 kWhat[index]);
        result = -1;
    }
    if (result == 0) return 0;
    if (result < 0) {
        drop_socket(link);
        vvi_link_lost(client, index, why, now_ns);
        return 0;
    }
    link->connecting = 0;
    vvi_link_begin(client, index, now_ns);
    return 1;
}

/* 0: the connection is lost. */
static int receive(vvc_client* client, int index, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    if (!link->readable) return 1;
    for (int reads = 0; reads < 64; ++reads) {
        size_t room = 0;
        uint8_t* at = vvi_zmtp_room(&link->zmtp, &room);
        const long n_bytes = vvi_tcp_receive(link->socket, at, room);
        if (n_bytes == 0) return 1;
        if (n_bytes < 0) {
            vvi_link_lost(client, index, vvi_zmtp_closed(&link->zmtp), now_ns);
            return 0;
        }
        vvi_count(&client->n_bytes, n_bytes);
        vvi_zmtp_received(&link->zmtp, (size_t)n_bytes, now_ns);
        if (!vvi_link_read(client, index, now_ns)) return 0;
        if ((size_t)n_bytes < room) return 1;
    }
    return 1;
}

static int flush(vvc_client* client, int index, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    size_t n_bytes = 0;
    const uint8_t* bytes = vvi_zmtp_pending(&link->zmtp, &n_bytes);
    while (n_bytes > 0) {
        const long n_sent = vvi_tcp_send(link->socket, bytes, n_bytes);
        if (n_sent == 0) return 1;
        if (n_sent < 0) {
            vvi_link_lost(client, index, vvi_zmtp_closed(&link->zmtp), now_ns);
            return 0;
        }
        vvi_zmtp_sent(&link->zmtp, (size_t)n_sent);
        bytes = vvi_zmtp_pending(&link->zmtp, &n_bytes);
    }
    return 1;
}

static void serve(vvc_client* client, int index, int64_t now_ns) {
    vvi_link* link = &client->links[index];
    if (!connect_link(client, index, now_ns)) {
        vvi_link_turn(client, index, now_ns);
        return;
    }
    if (!receive(client, index, now_ns) || !vvi_link_turn(client, index, now_ns) || !flush(client, index, now_ns)) {
        drop_socket(link);
    }
}

static void wait_for_links(vvc_client* client) {
    intptr_t sockets[VVI_LINKS];
    int writes[VVI_LINKS], reads[VVI_LINKS];
    for (int i = 0; i < VVI_LINKS; ++i) {
        const vvi_link* link = &client->links[i];
        size_t n_bytes = 0;
        vvi_zmtp_pending(&link->zmtp, &n_bytes);
        sockets[i] = link->socket;
        writes[i] = link->connecting || n_bytes > 0;
    }
    /* Callers do not wake the thread: what they send waits for this at most. */
    vvi_tcp_wait(sockets, writes, reads, VVI_LINKS, vvi_load32(&client->wants_input) ? 5 : 20);
    for (int i = 0; i < VVI_LINKS; ++i) client->links[i].readable = reads[i];
}

void vvi_run(void* pointer) {
    vvc_client* client = pointer;
    while (!vvi_load32(&client->stopping)) {
        const int64_t now_ns = vvi_monotonic_ns();
        for (int i = 0; i < VVI_LINKS; ++i) serve(client, i, now_ns);
        wait_for_links(client);
    }
    for (int i = 0; i < VVI_LINKS; ++i) drop_socket(&client->links[i]);
}
#endif
