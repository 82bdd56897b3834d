/* Which session time of a head is shown when: measures how late its frames come and keeps a delay that is just long
 * enough for nearly all of them, within bounds.
 *
 *   offset   client's clock minus session clock, with the shortest way of the last two seconds in it
 *   delay    how much later than that the head is shown: the third largest need of the last 3.2 s in steps of 200 ms,
 *            so that one stall, however long, changes nothing
 *
 * The client's thread writes; the line (client time -> session time) is read by any thread without a lock. */
#ifndef VISAVIS_CLIENT_PLAYOUT_H
#define VISAVIS_CLIENT_PLAYOUT_H

#include <stdint.h>

enum { VVI_NEEDS = 16, VVI_WAYS = 8 };

typedef struct vvi_line { /* session time = session_ns + (t - t_ns) * (1 + speed) for 100 ms, then at speed 0 */
    uint32_t version, started;
    int64_t t_ns, session_ns, speed_ppm, offset_ns; /* offset_ns: without the delay */
    uint32_t epoch;
} vvi_line;

typedef struct vvi_playout {
    int64_t min_delay_ns, max_delay_ns;
    int have_server_offset;
    int64_t server_offset_ns;               /* server's clock minus session clock */
    int64_t needs_ns[VVI_NEEDS], need_slot; /* largest (arrival - presentation) by 200 ms of arrival */
    int64_t ways_ns[VVI_WAYS], way_slot;    /* smallest (arrival - publish) by 250 ms of arrival */
    int64_t offset_ns, target_ns;
    vvi_line line; /* the last member: what samplers read lies with what they read of the frames (show.h) */
} vvi_playout;

void vvi_playout_reset(vvi_playout* playout, uint32_t epoch);
/* A message of the head came that was published at publish_ns (server's clock). */
void vvi_playout_heard(vvi_playout* playout, int64_t now_ns, int64_t publish_ns);
/* The server says what the session clock shows at publish_ns. */
void vvi_playout_clock(vvi_playout* playout, int64_t publish_ns, int64_t session_ns);
/* A frame came; the line moves. */
void vvi_playout_frame(vvi_playout* playout, int64_t now_ns, int64_t publish_ns, int64_t presentation_ns);
/* Time goes by. */
void vvi_playout_tick(vvi_playout* playout, int64_t now_ns);

/* Any thread: the line as it is; 0 if there is none yet. */
int vvi_playout_read(const vvi_playout* playout, vvi_line* line);
int64_t vvi_line_at(const vvi_line* line, int64_t t_ns);

#endif
