/* Wire protocol v1 in C; the checks are those of csrc/wire/frame_codec.cpp, in the same order. */
#include "client/wire.h"

#include <string.h>

#define PI 3.141592653589793

static uint64_t get(const uint8_t* at, int n_bytes) {
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; ++i) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static void put(uint8_t* at, uint64_t value, int n_bytes) {
    for (int i = 0; i < n_bytes; ++i) at[i] = (uint8_t)(value >> (8 * i));
}

/* Bytes of the UTF-8 character at the start, 0 if there is none. */
static size_t character_bytes(const uint8_t* at, size_t n_bytes) {
    const uint8_t lead = at[0];
    if (lead < 0x80) return lead == 0 ? 0 : 1;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length > n_bytes) return 0;
    for (size_t i = 1; i < length; ++i) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F)) return 0; /* overlong, surrogate */
    if ((lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F)) return 0; /* overlong, beyond U+10FFFF */
    return length;
}

static int is_utf8(const uint8_t* at, size_t n_bytes) {
    while (n_bytes > 0) {
        const size_t length = character_bytes(at, n_bytes);
        if (length == 0) return 0;
        at += length;
        n_bytes -= length;
    }
    return 1;
}

static int name_ok(const uint8_t* name, size_t length) {
    if (length == 0 || length > VVW_HEAD_BYTES || !is_utf8(name, length)) return 0;
    for (size_t i = 0; i < length; ++i) {
        if (name[i] < 0x20 || name[i] == 0x7F) return 0;
    }
    return 1;
}

int vvi_head_name_ok(const char* name) {
    size_t length = 0;
    while (length <= VVW_HEAD_BYTES && name[length] != '\0') ++length;
    return name_ok((const uint8_t*)name, length);
}

static int read_head(const uint8_t* field, char* head) {
    size_t length = 0;
    while (length < VVW_HEAD_BYTES && field[length] != 0) ++length;
    for (size_t i = length; i < VVW_HEAD_BYTES; ++i) {
        if (field[i] != 0) return 0;
    }
    memset(head, 0, VVW_HEAD_BYTES + 1);
    memcpy(head, field, length);
    return name_ok(field, length);
}

static size_t value_bytes(uint32_t dtype) {
    return dtype == VVW_F32 ? 4 : dtype == VVW_NORM16 || dtype == VVW_S16 ? 2 : 0;
}

static const char kBadDtype[] = "dtype is not one of this kind of message";
static const char kBadChannels[] = "number of channels is not one of this kind of message";
static const char kBadPayload[] = "payload has not the size that channels and dtype say";

static const char* check_audio(const vvi_message* message) {
    if (message->rate < VVW_MIN_AUDIO_RATE || message->rate > VVW_MAX_AUDIO_RATE) {
        return "audio rate is not 4000 to 384000 Hz";
    }
    if (message->dtype == VVW_NONE && (message->flags & VVW_END) != 0) {
        if (message->channels != 0) return kBadChannels;
        return message->n_bytes == 0 ? NULL : kBadPayload;
    }
    if (message->dtype != VVW_F32 && message->dtype != VVW_S16) return kBadDtype;
    if (message->channels != 1) return kBadChannels;
    return message->n_bytes == 0 || message->n_bytes % value_bytes(message->dtype) != 0 ? kBadPayload : NULL;
}

static const char* check_face(const vvi_message* message) {
    if (message->dtype != VVW_F32 && message->dtype != VVW_NORM16) return kBadDtype;
    if (message->channels == 0) return kBadChannels;
    return message->n_bytes == message->channels * value_bytes(message->dtype) ? NULL : kBadPayload;
}

static const char* check(const vvi_message* message) {
    switch (message->kind) {
        case VVW_AGENT_AUDIO:
        case VVW_USER_INPUT:
        case VVW_AGENT_INPUT: return check_audio(message);
        case VVW_MOTION:
        case VVW_FACE_INPUT: return check_face(message);
        case VVW_DESCRIBE:
            if (message->dtype != VVW_JSON) return kBadDtype;
            return message->n_bytes == 0 || !is_utf8(message->payload, message->n_bytes) ? kBadPayload : NULL;
        default:
            if (message->dtype != VVW_NONE) return kBadDtype;
            if (message->channels != 0) return kBadChannels;
            return message->n_bytes == 0 ? NULL : kBadPayload;
    }
}

static int all_finite(const uint8_t* at, size_t n_values) {
    for (size_t i = 0; i < n_values; ++i) {
        if ((get(at + 4 * i, 4) & 0x7F800000) == 0x7F800000) return 0;
    }
    return 1;
}

static void read_fields(const uint8_t* packet, vvi_message* message) {
    message->flags = (uint16_t)get(packet + VVW_AT_FLAGS, 2);
    message->schema_hash = get(packet + VVW_AT_SCHEMA_HASH, 8);
    message->sequence = get(packet + VVW_AT_SEQUENCE, 8);
    message->frame = (int64_t)get(packet + VVW_AT_FRAME, 8);
    message->presentation_ns = (int64_t)get(packet + VVW_AT_PRESENTATION, 8);
    message->publish_ns = (int64_t)get(packet + VVW_AT_PUBLISH, 8);
    message->epoch = (uint32_t)get(packet + VVW_AT_EPOCH, 4);
    message->state = (uint16_t)get(packet + VVW_AT_STATE, 2);
    message->channels = (uint16_t)get(packet + VVW_AT_CHANNELS, 2);
    message->dtype = packet[VVW_AT_DTYPE];
    message->revision = packet[VVW_AT_REVISION];
    message->rate = (uint32_t)get(packet + VVW_AT_RATE, 4);
}

const char* vvi_decode(const uint8_t* packet, size_t n_bytes, vvi_message* message) {
    if (n_bytes < VVW_HEADER_BYTES) return "shorter than the 80 bytes of a header";
    if (n_bytes > VVW_MAX_MESSAGE_BYTES) return "longer than 65536 bytes";
    message->kind = 0;
    while (message->kind < VVW_KINDS && memcmp(packet, &VVW_MAGICS[4 * message->kind], 4) != 0) ++message->kind;
    if (message->kind == VVW_KINDS) return "unknown magic";
    if (!read_head(packet + VVW_AT_HEAD, message->head)) return "head id is not 1 to 16 bytes of zero-padded UTF-8";
    const size_t header_bytes = (size_t)get(packet + VVW_AT_HEADER_SIZE, 2);
    if (header_bytes < VVW_HEADER_BYTES || header_bytes % 4 != 0 || header_bytes > n_bytes) {
        return "header size is below 80, no multiple of 4 or beyond the message";
    }
    read_fields(packet, message);
    message->payload = packet + header_bytes;
    message->n_bytes = n_bytes - header_bytes;
    const char* wrong = check(message);
    if (wrong == NULL && message->dtype == VVW_F32 && !all_finite(message->payload, message->n_bytes / 4)) {
        wrong = "a value is NaN or infinite";
    }
    return wrong;
}

size_t vvi_n_values(const vvi_message* message) {
    const size_t width = value_bytes(message->dtype);
    return width == 0 ? 0 : message->n_bytes / width;
}

float vvi_value(const vvi_message* message, size_t i, int angle) {
    if (message->dtype == VVW_F32) {
        const uint32_t bits = (uint32_t)get(message->payload + 4 * i, 4);
        float value;
        memcpy(&value, &bits, sizeof(value));
        return value;
    }
    const uint32_t level = (uint32_t)get(message->payload + 2 * i, 2);
    const int32_t with_sign = level >= 0x8000 ? (int32_t)level - 0x10000 : (int32_t)level;
    if (message->dtype == VVW_S16) return (float)with_sign / 32768.0f;
    if (!angle) return (float)(level / 65535.0);
    return (float)((with_sign == -32768 ? -1.0 : with_sign / 32767.0) * PI);
}

void vvi_put_header(const vvi_message* message, uint8_t* bytes) {
    memset(bytes, 0, VVW_HEADER_BYTES);
    memcpy(bytes, &VVW_MAGICS[4 * message->kind], 4);
    memcpy(bytes + VVW_AT_HEAD, message->head, strlen(message->head));
    put(bytes + VVW_AT_HEADER_SIZE, VVW_HEADER_BYTES, 2);
    put(bytes + VVW_AT_FLAGS, message->flags, 2);
    put(bytes + VVW_AT_SCHEMA_HASH, message->schema_hash, 8);
    put(bytes + VVW_AT_SEQUENCE, message->sequence, 8);
    put(bytes + VVW_AT_FRAME, (uint64_t)message->frame, 8);
    put(bytes + VVW_AT_PRESENTATION, (uint64_t)message->presentation_ns, 8);
    put(bytes + VVW_AT_PUBLISH, (uint64_t)message->publish_ns, 8);
    put(bytes + VVW_AT_EPOCH, message->epoch, 4);
    put(bytes + VVW_AT_STATE, message->state, 2);
    put(bytes + VVW_AT_CHANNELS, message->channels, 2);
    bytes[VVW_AT_DTYPE] = (uint8_t)message->dtype;
    bytes[VVW_AT_REVISION] = message->revision;
    put(bytes + VVW_AT_RATE, message->rate, 4);
}

void vvi_put_f32(float value, uint8_t* bytes) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put(bytes, bits, 4);
}
