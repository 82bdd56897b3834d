/* The head's clock and its delay. */
#include "client/playout.h"

#include <string.h>

#include "client/motion.h"
#include "client/platform.h"

#define MS INT64_C(1000000)
#define NOTHING INT64_MIN
static const int64_t kNeedNs = 200 * MS, kWayNs = 250 * MS;
static const int64_t kMarginNs = 5 * MS;    /* more than the largest need that counts */
static const int64_t kDeadNs = 2 * MS;      /* differences that are not worth a change of speed */
static const int64_t kJumpNs = 1000 * MS;   /* larger ones are not caught up, but jumped over */
static const int64_t kCatchUpNs = 300 * MS; /* time constant */
static const int64_t kSlowestPpm = 200000, kFastestPpm = 150000;
static const int64_t kLineNs = 100 * MS;     /* no speed is kept longer than this without news */
static const int64_t kUsualLeadNs = 40 * MS; /* of frames before their time, until the server has said more */

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static void write_line(vvi_playout* playout, int64_t t_ns, int64_t session_ns, int64_t speed_ppm) {
    vvi_line* line = &playout->line;
    vvi_store32(&line->version, line->version + 1);
    vvi_store64(&line->t_ns, t_ns);
    vvi_store64(&line->session_ns, session_ns);
    vvi_store64(&line->speed_ppm, speed_ppm);
    vvi_store64(&line->offset_ns, playout->offset_ns);
    vvi_store32(&line->started, 1);
    vvi_store32(&line->version, line->version + 1);
}

void vvi_playout_reset(vvi_playout* playout, uint32_t epoch) {
    vvi_line* line = &playout->line;
    vvi_store32(&line->version, line->version + 1);
    vvi_store32(&line->started, 0);
    vvi_store32(&line->epoch, epoch);
    vvi_store32(&line->version, line->version + 1);
    playout->have_server_offset = 0;
    playout->need_slot = playout->way_slot = NOTHING;
    vvi_store64(&playout->target_ns, 0);
    for (int i = 0; i < VVI_NEEDS; ++i) playout->needs_ns[i] = NOTHING;
    for (int i = 0; i < VVI_WAYS; ++i) playout->ways_ns[i] = NOTHING;
}

/* Empties the steps between the last one and that of now. */
static int64_t* turn(int64_t* values, int n_values, int64_t* last, int64_t slot) {
    if (*last == NOTHING || slot - *last >= n_values || slot < *last) *last = slot - n_values;
    while (*last < slot) {
        *last += 1;
        values[(uint64_t)*last % (uint64_t)n_values] = NOTHING;
    }
    return &values[(uint64_t)slot % (uint64_t)n_values];
}

void vvi_playout_heard(vvi_playout* playout, int64_t now_ns, int64_t publish_ns) {
    int64_t* way = turn(playout->ways_ns, VVI_WAYS, &playout->way_slot, now_ns / kWayNs);
    const int64_t way_ns = now_ns - publish_ns;
    if (*way == NOTHING || way_ns < *way) *way = way_ns;
}

void vvi_playout_clock(vvi_playout* playout, int64_t publish_ns, int64_t session_ns) {
    playout->have_server_offset = 1;
    playout->server_offset_ns = publish_ns - session_ns;
}

static int64_t shortest_way(const vvi_playout* playout) {
    int64_t shortest = NOTHING;
    for (int i = 0; i < VVI_WAYS; ++i) {
        const int64_t way = playout->ways_ns[i];
        if (way != NOTHING && (shortest == NOTHING || way < shortest)) shortest = way;
    }
    return shortest;
}

/* The third largest need, or the largest while there are fewer than three. */
static int64_t usual_need(const vvi_playout* playout) {
    int64_t top[3] = {NOTHING, NOTHING, NOTHING};
    for (int i = 0; i < VVI_NEEDS; ++i) {
        int64_t need = playout->needs_ns[i];
        for (int k = 0; k < 3; ++k) {
            if (need <= top[k]) continue;
            const int64_t smaller = top[k];
            top[k] = need;
            need = smaller;
        }
    }
    return top[2] != NOTHING ? top[2] : top[0];
}

void vvi_playout_tick(vvi_playout* playout, int64_t now_ns) {
    const int64_t need = usual_need(playout), way = shortest_way(playout);
    if (need == NOTHING) return;
    if (way != NOTHING) {
        const int64_t measured = way + playout->server_offset_ns;
        const int64_t step = measured - playout->offset_ns;
        const int snap = !playout->line.started || step > 50 * MS || step < -50 * MS;
        playout->offset_ns += snap ? step : clamp(step, -MS / 10, MS / 10);
    }
    const int64_t target_ns = need - playout->offset_ns + VVI_FRAME_NS + kMarginNs;
    vvi_store64(&playout->target_ns, clamp(target_ns, playout->min_delay_ns, playout->max_delay_ns));
    const int64_t wanted = now_ns - playout->offset_ns - playout->target_ns;
    if (!playout->line.started) {
        write_line(playout, now_ns, wanted, 0);
        return;
    }
    const int64_t shown = vvi_line_at(&playout->line, now_ns);
    const int64_t ahead = shown - wanted; /* above 0: shown too early, go slower */
    if (ahead > kJumpNs || ahead < -kJumpNs) {
        write_line(playout, now_ns, wanted, 0);
        return;
    }
    int64_t speed_ppm = -ahead * 1000000 / kCatchUpNs;
    if (ahead < kDeadNs && ahead > -kDeadNs) speed_ppm = 0;
    write_line(playout, now_ns, shown, clamp(speed_ppm, -kSlowestPpm, kFastestPpm));
}

void vvi_playout_frame(vvi_playout* playout, int64_t now_ns, int64_t publish_ns, int64_t presentation_ns) {
    if (!playout->have_server_offset && !playout->line.started) {
        playout->server_offset_ns = publish_ns - (presentation_ns - kUsualLeadNs);
    }
    int64_t* need = turn(playout->needs_ns, VVI_NEEDS, &playout->need_slot, now_ns / kNeedNs);
    if (now_ns - presentation_ns > *need) *need = now_ns - presentation_ns;
    vvi_playout_tick(playout, now_ns);
}

int vvi_playout_read(const vvi_playout* playout, vvi_line* line) {
    const vvi_line* from = &playout->line;
    for (int tries = 0; tries < 8; ++tries) {
        line->version = vvi_load32(&from->version);
        line->started = vvi_load32(&from->started);
        line->t_ns = vvi_load64(&from->t_ns);
        line->session_ns = vvi_load64(&from->session_ns);
        line->speed_ppm = vvi_load64(&from->speed_ppm);
        line->offset_ns = vvi_load64(&from->offset_ns);
        line->epoch = vvi_load32(&from->epoch);
        if ((line->version & 1) == 0 && vvi_load32(&from->version) == line->version) return line->started != 0;
    }
    return -1;
}

int64_t vvi_line_at(const vvi_line* line, int64_t t_ns) {
    const int64_t past = clamp(t_ns - line->t_ns, 0, kLineNs);
    return line->session_ns + (t_ns - line->t_ns) + past * line->speed_ppm / 1000000;
}
