/* The voice's ring and its resampler: a windowed sinc of 16 taps whose step bends by at most 0.5 %. */
#include "client/voice.h"

#include <math.h>
#include <string.h>

#include "client/platform.h"

#define PI 3.141592653589793
#define SECOND INT64_C(1000000000)
static const int64_t kSeamNs = 1000000;  /* packets this near to the end of the last one follow it exactly */
static const double kJumpS = 0.060;      /* a larger error is jumped over */
static const double kQuietJumpS = 0.010; /* where it cannot be heard, a smaller one, too */
static const double kCatchUpS = 0.5, kBend = 0.005;
enum { FADE = 256 }; /* samples of a cross-fade */

static int64_t to_samples(int64_t ns, uint32_t rate) {
    int64_t seconds = ns / SECOND, rest = ns % SECOND;
    if (rest < 0) {
        rest += SECOND;
        seconds -= 1;
    }
    return seconds * rate + (rest * rate + SECOND / 2) / SECOND;
}

static uint32_t* at(vvi_voice* voice, int64_t n) { return &voice->samples[(uint64_t)n % VVI_VOICE_SAMPLES]; }

static void put(vvi_voice* voice, int64_t n, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    vvi_store32(at(voice, n), bits);
}

void vvi_voice_reset(vvi_voice* voice) {
    vvi_store32(&voice->rate, 0);
    vvi_store32(&voice->generation, voice->generation + 1);
    vvi_store64(&voice->begin, 0);
    vvi_store64(&voice->end, 0);
}

/* The timeline begins at n, all silent. */
static void start(vvi_voice* voice, uint32_t rate, int64_t n) {
    vvi_voice_reset(voice);
    for (int i = 0; i < VVI_VOICE_SAMPLES; ++i) vvi_store32(&voice->samples[i], 0);
    vvi_store64(&voice->begin, n);
    vvi_store64(&voice->end, n);
    vvi_store32(&voice->rate, rate);
}

void vvi_voice_put(vvi_voice* voice, uint32_t rate, int64_t frame, int64_t session_ns, const float* samples,
                   size_t n_samples) {
    int64_t first = to_samples(session_ns, rate);
    const int64_t seam = to_samples(kSeamNs, rate) + 1;
    if (voice->rate != rate) {
        start(voice, rate, first);
    } else if (frame == voice->next_frame && first - voice->next_end < seam && voice->next_end - first < seam) {
        first = voice->next_end;
    }
    if (first - voice->end >= VVI_VOICE_SAMPLES) start(voice, rate, first);
    for (int64_t n = voice->end; n < first; ++n) put(voice, n, 0.0f);
    const int64_t oldest = voice->end - VVI_VOICE_SAMPLES;
    for (size_t i = 0; i < n_samples; ++i) {
        if (first + (int64_t)i >= oldest) put(voice, first + (int64_t)i, samples[i]);
    }
    voice->next_frame = (int64_t)((uint64_t)frame + n_samples);
    voice->next_end = first + (int64_t)n_samples;
    if (voice->next_end <= voice->end) return;
    if (voice->begin < voice->next_end - VVI_VOICE_SAMPLES)
        vvi_store64(&voice->begin, voice->next_end - VVI_VOICE_SAMPLES);
    vvi_store64(&voice->end, voice->next_end);
}

void vvi_voice_cut(vvi_voice* voice, int64_t from_ns) {
    if (voice->rate == 0) return;
    const int64_t cut = to_samples(from_ns, voice->rate), fade = voice->rate / 200;
    if (cut >= voice->end) return;
    for (int64_t n = cut > voice->begin ? cut : voice->begin; n < voice->end; ++n) put(voice, n, 0.0f);
    for (int64_t k = 0; k < fade; ++k) { /* the last 5 ms before it fade, so that it does not click */
        const int64_t n = cut - 1 - k;
        if (n < voice->begin) break;
        float value;
        const uint32_t bits = *at(voice, n);
        memcpy(&value, &bits, sizeof(value));
        put(voice, n, value * (float)k / (float)fade);
    }
    vvi_store64(&voice->end, cut > voice->begin ? cut : voice->begin);
}

/* ---- Reader ---- */

static double sinc(double x) { return fabs(x) < 1e-9 ? 1.0 : sin(PI * x) / (PI * x); }

/* One low-pass for each of 64 places between two samples. */
static void make_table(vvi_voice* voice, uint32_t in, uint32_t out) {
    const double cutoff = out < in ? 0.95 * out / in : 0.95;
    for (int phase = 0; phase <= VVI_PHASES; ++phase) {
        double sum = 0.0;
        for (int tap = 0; tap < VVI_TAPS; ++tap) {
            const double x = tap - (VVI_TAPS / 2 - 1) - (double)phase / VVI_PHASES;
            const double window = 0.5 + 0.5 * cos(PI * x / (VVI_TAPS / 2));
            const double value = fabs(x) < VVI_TAPS / 2 ? cutoff * sinc(cutoff * x) * window : 0.0;
            voice->table[phase][tap] = (float)value;
            sum += value;
        }
        for (int tap = 0; tap < VVI_TAPS; ++tap) voice->table[phase][tap] = (float)(voice->table[phase][tap] / sum);
    }
    voice->table_in = in;
    voice->table_out = out;
}

static float sample_at(vvi_voice* voice, double position, int64_t begin, int64_t end) {
    const double whole = floor(position);
    const int64_t first = (int64_t)whole - (VVI_TAPS / 2 - 1);
    if (first >= end || first + VVI_TAPS <= begin) return 0.0f;
    const float place = (float)(position - whole) * VVI_PHASES;
    const int phase = place < VVI_PHASES ? (int)place : VVI_PHASES - 1; /* just below the next sample rounds up to it */
    const float part = place - (float)phase;
    const float* low = voice->table[phase];
    const float* high = voice->table[phase + 1];
    float sum = 0.0f;
    for (int tap = 0; tap < VVI_TAPS; ++tap) {
        const int64_t n = first + tap;
        if (n < begin || n >= end) continue;
        const uint32_t bits = vvi_load32(at(voice, n));
        float value;
        memcpy(&value, &bits, sizeof(value));
        sum += value * (low[tap] + (high[tap] - low[tap]) * part);
    }
    return sum;
}

/* Is there nothing to hear in this block? */
static int quiet(vvi_voice* voice, double position, double n_samples, int64_t begin, int64_t end) {
    for (double x = position; x < position + n_samples; x += 8.0) {
        const int64_t n = (int64_t)x;
        if (n < begin || n >= end) continue;
        const uint32_t bits = vvi_load32(at(voice, n));
        float value;
        memcpy(&value, &bits, sizeof(value));
        if (value > 0.002f || value < -0.002f) return 0;
    }
    return 1;
}

static int64_t to_ns(double position, uint32_t rate) {
    const double seconds = floor(position / rate);
    return (int64_t)seconds * SECOND + (int64_t)((position - seconds * rate) * 1e9 / rate);
}

/* Where to read on: bends the step, or jumps. */
static double steer(vvi_voice* voice, double wanted, double n_in, double step, int64_t begin, int64_t end) {
    const double rate = voice->table_in, error = wanted - voice->position;
    const int inaudible = quiet(voice, voice->position, n_in, begin, end) && quiet(voice, wanted, n_in, begin, end);
    if (fabs(error) > kJumpS * rate || (inaudible && fabs(error) > kQuietJumpS * rate)) {
        voice->position = wanted;
        if (!inaudible) vvi_count(&voice->jumps, 1);
        return step;
    }
    double bend = error / (kCatchUpS * rate);
    bend = bend > kBend ? kBend : bend < -kBend ? -kBend : bend;
    return step * (1.0 + bend);
}

static int64_t silence(vvi_voice* voice, int64_t wanted_ns, float* out, uint32_t n_samples) {
    memset(out, 0, n_samples * sizeof(float));
    voice->running = 0;
    return wanted_ns;
}

int64_t vvi_voice_read(vvi_voice* voice, int64_t wanted_ns, float* out, uint32_t n_samples, uint32_t rate,
                       uint32_t* n_voiced) {
    const uint32_t generation = vvi_load32(&voice->generation);
    const uint32_t in = vvi_load32(&voice->rate);
    const int64_t begin = vvi_load64(&voice->begin), end = vvi_load64(&voice->end);
    *n_voiced = 0;
    if (in == 0 || generation != vvi_load32(&voice->generation)) return silence(voice, wanted_ns, out, n_samples);
    if (voice->table_in != in || voice->table_out != rate) {
        make_table(voice, in, rate);
        voice->running = 0;
    }
    const double wanted = (double)(wanted_ns / SECOND) * in + (double)(wanted_ns % SECOND) * 1e-9 * in;
    if (!voice->running || voice->seen_generation != generation) voice->position = wanted;
    voice->running = 1;
    voice->seen_generation = generation;
    const double plain = (double)in / rate, before = voice->position;
    const double step = steer(voice, wanted, plain * n_samples, plain, begin, end);
    const double first = voice->position;
    for (uint32_t i = 0; i < n_samples; ++i) {
        out[i] = sample_at(voice, voice->position, begin, end);
        *n_voiced += voice->position >= (double)begin && voice->position < (double)end;
        voice->position += step;
    }
    if (first != before) { /* jumped: out of what would have gone on */
        const uint32_t n_fade = n_samples < FADE ? n_samples : FADE;
        for (uint32_t i = 0; i < n_fade; ++i) {
            const float old = sample_at(voice, before + i * plain, begin, end);
            out[i] = old + (out[i] - old) * (float)i / (float)n_fade;
        }
    }
    return to_ns(first, in);
}
