/* VVC_MANUAL: the caller's own sockets, and messages of other transports. */
#include <string.h>

#include "client/core.h"

static int fed(const vvc_client* client, uint32_t link, int64_t now_ns) {
    return client != NULL && (client->options.flags & VVC_MANUAL) != 0 && link <= VVC_LINK_MESSAGE &&
           vvi_time_ok(now_ns);
}

static vvc_result not_fed(void) {
    return vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                    "expected a client opened with VVC_MANUAL, a link and a time below 2^59 ns");
}

vvc_result vvc_set_link(vvc_client* client, uint32_t link, int32_t connected, int64_t now_ns) {
    if (!fed(client, link, now_ns) || link == VVC_LINK_MESSAGE) return not_fed();
    if (connected) {
        vvi_link_begin(client, (int)link, now_ns);
    } else {
        vvi_link_lost(client, (int)link, vvi_zmtp_closed(&client->links[link].zmtp), now_ns);
    }
    return VVC_OK;
}

vvc_result vvc_feed(vvc_client* client, uint32_t link, const void* bytes, size_t n_bytes, int64_t now_ns) {
    if (!fed(client, link, now_ns) || (bytes == NULL && n_bytes > 0)) return not_fed();
    const uint8_t* at = bytes;
    vvi_count(&client->n_bytes, (int64_t)n_bytes);
    if (link == VVC_LINK_MESSAGE) {
        vvi_take_message(client, at, n_bytes, now_ns);
        return VVC_OK;
    }
    vvi_zmtp* zmtp = &client->links[link].zmtp;
    while (n_bytes > 0) {
        size_t room = 0;
        uint8_t* to = vvi_zmtp_room(zmtp, &room);
        const size_t n_piece = n_bytes < room ? n_bytes : room;
        memcpy(to, at, n_piece);
        vvi_zmtp_received(zmtp, n_piece, now_ns);
        if (zmtp->state == VVI_ZMTP_CLOSED || !vvi_link_read(client, (int)link, now_ns)) {
            return vvi_fail(VVC_ERROR_REFUSED, "%s", zmtp->error);
        }
        at += n_piece;
        n_bytes -= n_piece;
    }
    return VVC_OK;
}

size_t vvc_drain(vvc_client* client, uint32_t link, void* bytes, size_t capacity, int64_t now_ns) {
    if (!fed(client, link, now_ns) || (bytes == NULL && capacity > 0)) {
        not_fed();
        return 0;
    }
    if (link == VVC_LINK_MESSAGE || !vvi_link_turn(client, (int)link, now_ns)) return 0;
    vvi_zmtp* zmtp = &client->links[link].zmtp;
    size_t n_bytes = 0;
    const uint8_t* pending = vvi_zmtp_pending(zmtp, &n_bytes);
    if (n_bytes > capacity) n_bytes = capacity;
    if (n_bytes > 0) memcpy(bytes, pending, n_bytes);
    vvi_zmtp_sent(zmtp, n_bytes);
    return n_bytes;
}
