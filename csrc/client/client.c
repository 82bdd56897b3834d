/* The handle: options, memory, opening and closing, heads by name. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core.h"
#include "client/tcp.h"

#ifndef VISAVIS_VERSION
#define VISAVIS_VERSION "0.1.0"
#endif
#define MS INT64_C(1000000)
enum { DEFAULT_PORT = 5570, HIGHEST_PORT = 65533 };

static VVI_THREAD_LOCAL char g_error[VVI_LINE_BYTES];

vvc_result vvi_fail(vvc_result result, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g_error, sizeof(g_error), format, arguments);
    va_end(arguments);
    return result;
}

const char* vvc_last_error(void) { return g_error; }

int32_t vvc_abi_matches(uint32_t header_version) {
    return header_version >> 16 == VVC_ABI_VERSION >> 16 && (header_version & 0xFFFF) <= (VVC_ABI_VERSION & 0xFFFF);
}

const char* vvc_version(void) { return VISAVIS_VERSION; }

int32_t vvc_has_curve(void) { return vvi_curve_available(); }

int64_t vvc_now(void) { return vvi_monotonic_ns(); }

const char* vvc_shape_name(uint32_t shape) { return shape < VVC_SHAPES ? vvi_value_name(shape) : NULL; }

uint32_t vvc_struct_size(uint32_t which) {
    static const uint32_t kSizes[] = {(uint32_t)sizeof(vvc_options), (uint32_t)sizeof(vvc_frame),
                                      (uint32_t)sizeof(vvc_audio), (uint32_t)sizeof(vvc_stats),
                                      (uint32_t)sizeof(vvc_head_options)};
    return which < sizeof(kSizes) / sizeof(kSizes[0]) ? kSizes[which] : 0;
}

/* ---- Memory: blocks remember nothing; the default aligns to 64 bytes by keeping the block's start in front of it ----
 */

enum { ALIGNMENT = 64 };

void* vvi_allocate(const vvc_options* options, size_t n_bytes) {
    uint8_t* block = NULL;
    if (options->allocate != NULL) {
        block = options->allocate(options->allocator_user, n_bytes, ALIGNMENT);
    } else {
        uint8_t* start = malloc(n_bytes + ALIGNMENT + sizeof(void*));
        if (start != NULL) {
            const uintptr_t first = (uintptr_t)start + sizeof(void*) + ALIGNMENT - 1;
            block = start + (first - first % ALIGNMENT - (uintptr_t)start);
            memcpy(block - sizeof(void*), &start, sizeof(start));
        }
    }
    if (block != NULL) memset(block, 0, n_bytes);
    return block;
}

void vvi_release(const vvc_options* options, void* block) {
    if (block == NULL) return;
    if (options->allocate != NULL) {
        options->release(options->allocator_user, block);
    } else {
        void* start;
        memcpy(&start, (uint8_t*)block - sizeof(void*), sizeof(start));
        free(start);
    }
}

/* ---- Options ---- */

void vvc_default_options(vvc_options* options, uint32_t struct_size) {
    vvc_options made;
    memset(&made, 0, sizeof(made));
    made.struct_size = struct_size;
    made.max_delay_ns = 200 * MS;
    made.hold_ns = 250 * MS;
    made.ease_ns = 500 * MS;
    made.max_heads = VVI_MAX_HEADS;
    made.outgoing_bytes = 1 << 20;
    if (options != NULL) memcpy(options, &made, struct_size < sizeof(made) ? struct_size : sizeof(made));
}

static vvc_result check_options(vvc_options* options) {
    const struct {
        const char* name;
        int64_t value, low, high;
    } ranges[] = {{"min_delay_ns", options->min_delay_ns, 0, 2000 * MS},
                  {"max_delay_ns", options->max_delay_ns, options->min_delay_ns, 2000 * MS},
                  {"hold_ns", options->hold_ns, 0, 60000 * MS},
                  {"ease_ns", options->ease_ns, 1, 60000 * MS},
                  {"output_ns", options->output_ns, 0, 2000 * MS},
                  {"max_heads", options->max_heads, 1, VVI_MAX_HEADS},
                  {"outgoing_bytes", options->outgoing_bytes, 4096, 1 << 28}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); ++i) {
        if (ranges[i].value >= ranges[i].low && ranges[i].value <= ranges[i].high) continue;
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "options.%s is %lld; expected %lld to %lld", ranges[i].name,
                        (long long)ranges[i].value, (long long)ranges[i].low, (long long)ranges[i].high);
    }
    if ((options->allocate == NULL) != (options->release == NULL)) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "options: expected both allocate and release, or neither");
    }
    options->outgoing_bytes = options->outgoing_bytes / 16 * 16;
    return VVC_OK;
}

static vvc_result read_keys(const vvc_options* options, vvi_curve* curve) {
    char keys[3][VVC_KEY_BYTES + 1];
    const uint8_t* given[3] = {options->server_key, options->public_key, options->secret_key};
    for (int i = 0; i < 3; ++i) {
        memcpy(keys[i], given[i], VVC_KEY_BYTES);
        keys[i][VVC_KEY_BYTES] = '\0';
    }
    if (keys[0][0] == '\0') {
        if (keys[1][0] == '\0' && keys[2][0] == '\0') return VVC_OK;
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "options.server_key is empty; expected the server's public key");
    }
    const char* wrong = vvi_curve_keys(curve, keys[0], keys[1], keys[2]);
    memset(keys, 0, sizeof(keys));
    if (wrong == NULL) return VVC_OK;
    return vvi_fail(vvi_curve_available() ? VVC_ERROR_INVALID_ARGUMENT : VVC_ERROR_UNSUPPORTED, "%s", wrong);
}

/* "tcp://HOST:PORT", "HOST:PORT", "HOST", "[IPV6]:PORT" */
static vvc_result read_endpoint(vvc_client* client, const char* endpoint) {
    const char* at = endpoint == NULL ? "" : endpoint;
    if (strncmp(at, "tcp://", 6) == 0) at += 6;
    const char* close = *at == '[' ? strchr(at, ']') : NULL;
    const char* colon = strchr(close == NULL ? at : close, ':');
    const char* first = close == NULL ? at : at + 1;
    const char* last = close != NULL ? close : colon != NULL ? colon : at + strlen(at);
    long port = DEFAULT_PORT;
    char* end = NULL;
    if (colon != NULL) port = strtol(colon + 1, &end, 10);
    const int bad_port = colon != NULL && (end == colon + 1 || *end != '\0');
    const size_t n_host = (size_t)(last - first);
    if (n_host == 0 || n_host >= sizeof(client->host) || memchr(first, '/', n_host) != NULL || bad_port || port < 1 ||
        port > HIGHEST_PORT) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                        "endpoint \"%.100s\": expected tcp://HOST:PORT such as tcp://127.0.0.1:5570",
                        endpoint == NULL ? "" : endpoint);
    }
    memcpy(client->host, first, n_host);
    snprintf(client->endpoint, sizeof(client->endpoint), "tcp://%s%s%s:%ld", close ? "[" : "", client->host,
             close ? "]" : "", port);
    for (int i = 0; i < VVI_LINKS; ++i) client->links[i].port = (uint16_t)(port + i);
    return VVC_OK;
}

/* ---- Open and close ---- */

static void release_all(vvc_client* client) {
    const vvc_options options = client->options;
    for (int i = 0; i < VVI_LINKS; ++i) {
        vvi_release(&options, client->links[i].zmtp.in);
        vvi_release(&options, client->links[i].zmtp.out);
    }
    for (int i = 0; i < VVI_MAX_HEADS; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head == NULL) break;
        vvi_release(&options, head->show.voice.samples);
        vvi_release(&options, head);
    }
    vvi_release(&options, client->inputs.bytes);
    vvi_release(&options, client->requests.bytes);
    vvi_release(&options, client->scratch);
    vvi_release(&options, client->packet);
#ifndef VVC_NO_SOCKETS
    vvi_release(&options, client->thread);
#endif
    memset(client, 0, sizeof(*client)); /* keys do not stay in memory */
    vvi_release(&options, client);
}

static int allocate_all(vvc_client* client) {
    const vvc_options* options = &client->options;
    int complete = 1;
    for (int i = 0; i < VVI_LINKS; ++i) {
        vvi_link* link = &client->links[i];
        link->zmtp.subscriber = i == VVC_LINK_MOTION;
        link->socket = VVI_NO_SOCKET;
        link->retry_ns = INT64_MIN;
        link->zmtp.in = vvi_allocate(options, VVI_ZMTP_BUFFER);
        link->zmtp.out = vvi_allocate(options, VVI_ZMTP_BUFFER);
        complete &= link->zmtp.in != NULL && link->zmtp.out != NULL;
    }
    client->inputs.capacity = options->outgoing_bytes;
    client->inputs.bytes = vvi_allocate(options, options->outgoing_bytes);
    client->requests.capacity = 1 << 15;
    client->requests.bytes = vvi_allocate(options, 1 << 15);
    client->scratch = vvi_allocate(options, VVW_MAX_MESSAGE_BYTES * sizeof(float) / 2);
    client->packet = vvi_allocate(options, VVW_MAX_MESSAGE_BYTES);
#ifndef VVC_NO_SOCKETS
    client->thread = vvi_allocate(options, vvi_thread_bytes());
    complete &= client->thread != NULL;
#endif
    return complete && client->inputs.bytes != NULL && client->requests.bytes != NULL && client->scratch != NULL &&
           client->packet != NULL;
}

static vvc_result start(vvc_client* client) {
    if ((client->options.flags & VVC_MANUAL) != 0) return VVC_OK;
#ifdef VVC_NO_SOCKETS
    return vvi_fail(VVC_ERROR_UNSUPPORTED, "this build has no sockets (VVC_NO_SOCKETS); expected the flag VVC_MANUAL");
#else
    if (!vvi_tcp_start()) return vvi_fail(VVC_ERROR_UNSUPPORTED, "the system's sockets cannot be started");
    if (vvi_thread_start(client->thread, vvi_run, client)) return VVC_OK;
    vvi_tcp_stop();
    return vvi_fail(VVC_ERROR_OUT_OF_MEMORY, "the system gives no thread");
#endif
}

vvc_result vvc_open(const char* endpoint, const vvc_options* options, vvc_client** client) {
    vvc_options made;
    vvc_default_options(&made, (uint32_t)sizeof(made));
    if (client == NULL) return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "client: expected where to put it, is NULL");
    if (options != NULL) {
        memcpy(&made, options, options->struct_size < sizeof(made) ? options->struct_size : sizeof(made));
    }
    vvc_result result = check_options(&made);
    if (result != VVC_OK) return result;
    vvc_client* opened = vvi_allocate(&made, sizeof(*opened));
    if (opened == NULL) return vvi_fail(VVC_ERROR_OUT_OF_MEMORY, "no memory for a client");
    opened->options = made;
    opened->round_trip_ns = -1;
    opened->clock_offset_ns = INT64_MIN;
    vvi_curve curve;
    memset(&curve, 0, sizeof(curve));
    result = read_endpoint(opened, endpoint);
    if (result == VVC_OK) result = read_keys(&made, &curve);
    for (int i = 0; i < VVI_LINKS; ++i) opened->links[i].zmtp.curve = curve;
    if (result == VVC_OK && !allocate_all(opened)) {
        result = vvi_fail(VVC_ERROR_OUT_OF_MEMORY, "no memory for a client's buffers");
    }
    if (result == VVC_OK) result = start(opened);
    if (result != VVC_OK) {
        release_all(opened);
        return result;
    }
    *client = opened;
    return VVC_OK;
}

void vvc_close(vvc_client* client) {
    if (client == NULL) return;
#ifndef VVC_NO_SOCKETS
    if ((client->options.flags & VVC_MANUAL) == 0) {
        vvi_store32(&client->stopping, 1);
        vvi_thread_join(client->thread);
        vvi_tcp_stop();
    }
#endif
    release_all(client);
}

/* ---- Heads ---- */

vvi_head* vvi_head_at(const vvc_client* client, int64_t handle) {
    if (handle < 0 || handle >= VVI_MAX_HEADS) return NULL;
    return (vvi_head*)(intptr_t)vvi_load64(&client->heads[handle]);
}

static vvi_head* make_head(const vvc_client* client, const char* name) {
    vvi_head* head = vvi_allocate(&client->options, sizeof(*head));
    if (head == NULL) return NULL;
    vvi_head_begin(head, name, &client->options);
    if ((client->options.flags & VVC_NO_AUDIO) == 0) {
        head->show.voice.samples = vvi_allocate(&client->options, VVI_VOICE_SAMPLES * sizeof(uint32_t));
        if (head->show.voice.samples == NULL) {
            vvi_release(&client->options, head);
            return NULL;
        }
    }
    return head;
}

/* Two threads may follow at once: each takes the first free place by compare-and-swap, and looks at what took it. */
int32_t vvc_follow(vvc_client* client, const char* name) {
    if (client == NULL || name == NULL || !vvi_head_name_ok(name)) {
        return -(int32_t)vvi_fail(VVC_ERROR_INVALID_ARGUMENT,
                                  "head \"%.40s\": expected 1 to 16 bytes of UTF-8 without control characters",
                                  name == NULL ? "" : name);
    }
    vvi_head* made = NULL;
    for (int32_t i = 0; i < (int32_t)client->options.max_heads; ++i) {
        vvi_head* head = vvi_head_at(client, i);
        if (head == NULL) {
            if (made == NULL) made = make_head(client, name);
            if (made == NULL) return -(int32_t)vvi_fail(VVC_ERROR_OUT_OF_MEMORY, "no memory for a head");
            vvi_store32(&made->followed, 1);
            if (vvi_swap64(&client->heads[i], 0, (int64_t)(intptr_t)made)) return i;
            head = vvi_head_at(client, i);
        }
        if (strcmp(head->name, name) != 0) continue;
        if (made != NULL) {
            vvi_release(&client->options, made->show.voice.samples);
            vvi_release(&client->options, made);
        }
        vvi_store32(&head->followed, 1);
        return i;
    }
    if (made != NULL) {
        vvi_release(&client->options, made->show.voice.samples);
        vvi_release(&client->options, made);
    }
    return -(int32_t)vvi_fail(VVC_ERROR_FULL, "%lu heads were followed; expected at most as many (options.max_heads)",
                              (unsigned long)client->options.max_heads);
}

vvc_result vvc_unfollow(vvc_client* client, int32_t handle) {
    vvi_head* head = client == NULL ? NULL : vvi_head_at(client, handle);
    if (head == NULL) {
        return vvi_fail(VVC_ERROR_INVALID_ARGUMENT, "head %ld: expected a handle of vvc_follow", (long)handle);
    }
    vvi_store32(&head->followed, 0);
    return VVC_OK;
}
