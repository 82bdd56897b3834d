/* A cursor over JSON text. */
#include "client/json.h"

#include <string.h>

#define DEEPEST 64

static const char* skip_space(const char* at, const char* end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) ++at;
    return at;
}

/* Behind the closing quote, or NULL. */
static const char* skip_string(const char* at, const char* end) {
    for (++at; at < end; ++at) {
        if (*at == '"') return at + 1;
        if (*at == '\\') ++at;
    }
    return NULL;
}

static int ends_scalar(char c) { return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r'; }

/* Behind the value that begins at `at`, or NULL. */
static const char* skip_value(const char* at, const char* end) {
    int depth = 0;
    do {
        at = skip_space(at, end);
        if (at >= end) return NULL;
        if (*at == '"') {
            at = skip_string(at, end);
            if (at == NULL) return NULL;
        } else if (*at == '{' || *at == '[') {
            if (++depth > DEEPEST) return NULL;
            ++at;
        } else if (*at == '}' || *at == ']') {
            if (--depth < 0) return NULL;
            ++at;
        } else if (*at == ',' || *at == ':') {
            if (depth == 0) return NULL;
            ++at;
        } else {
            while (at < end && !ends_scalar(*at) && *at != ':') ++at;
        }
    } while (depth > 0);
    return at;
}

vvi_json vvi_json_text(const uint8_t* bytes, size_t n_bytes) {
    const vvi_json text = {(const char*)bytes, (const char*)bytes + n_bytes};
    return text;
}

/* The value that begins at `at`; where it ends, or NULL. */
static const char* take(const char* at, const char* end, vvi_json* value) {
    value->at = skip_space(at, end);
    value->end = skip_value(value->at, end);
    return value->end;
}

int vvi_json_member(vvi_json object, const char* name, vvi_json* value) {
    const char* at = skip_space(object.at, object.end);
    if (at >= object.end || *at != '{') return 0;
    const size_t n_name = strlen(name);
    for (++at;;) {
        vvi_json key;
        at = take(at, object.end, &key);
        if (at == NULL || *key.at != '"') return 0;
        at = skip_space(at, object.end);
        if (at >= object.end || *at != ':') return 0;
        at = take(at + 1, object.end, value);
        if (at == NULL) return 0;
        if ((size_t)(key.end - key.at) == n_name + 2 && memcmp(key.at + 1, name, n_name) == 0) return 1;
        at = skip_space(at, object.end);
        if (at >= object.end || *at != ',') return 0;
        ++at;
    }
}

int vvi_json_next(vvi_json array, const char** cursor, vvi_json* element) {
    const char* at = *cursor;
    if (at == NULL) {
        at = skip_space(array.at, array.end);
        if (at >= array.end || *at != '[') return 0;
    } else {
        at = skip_space(at, array.end);
        if (at >= array.end || *at != ',') return 0;
    }
    at = take(at + 1, array.end, element);
    if (at == NULL || element->end == element->at) return 0;
    *cursor = at;
    return 1;
}

static int hex4(const char* at, uint32_t* code) {
    *code = 0;
    for (int i = 0; i < 4; ++i) {
        const char c = at[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return 0;
        *code = *code << 4 | (uint32_t)digit;
    }
    return 1;
}

static size_t put_utf8(uint32_t code, char* out) {
    if (code < 0x80) return out[0] = (char)code, (size_t)1;
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00 >> length) | code);
    return length;
}

/* One character or escape at `at`; what it stands for, and how long it was (0: malformed). */
static size_t take_character(const char* at, const char* end, char* out, size_t* n_out) {
    *n_out = 1;
    out[0] = *at;
    if (*at != '\\') return 1;
    if (end - at < 2) return 0;
    static const char kFrom[] = "\"\\/bfnrt", kTo[] = "\"\\/\b\f\n\r\t";
    const char* simple = strchr(kFrom, at[1]);
    if (at[1] != '\0' && simple != NULL) return out[0] = kTo[simple - kFrom], (size_t)2;
    uint32_t code = 0, low = 0;
    if (at[1] != 'u' || end - at < 6 || !hex4(at + 2, &code)) return 0;
    size_t length = 6;
    if (code >= 0xD800 && code < 0xDC00) {
        if (end - at < 12 || at[6] != '\\' || at[7] != 'u' || !hex4(at + 8, &low) || low < 0xDC00 || low > 0xDFFF)
            return 0;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        length = 12;
    } else if (code == 0 || (code >= 0xDC00 && code < 0xE000)) {
        return 0;
    }
    *n_out = put_utf8(code, out);
    return length;
}

int vvi_json_string(vvi_json value, char* text, size_t capacity) {
    size_t n_bytes = 0;
    text[0] = '\0';
    if (value.end - value.at < 2 || *value.at != '"') return 0;
    for (const char* at = value.at + 1; at < value.end - 1;) {
        char piece[4];
        size_t n_piece = 0;
        const size_t length = take_character(at, value.end - 1, piece, &n_piece);
        if (length == 0) return 0;
        if (n_bytes + n_piece >= capacity) break;
        memcpy(text + n_bytes, piece, n_piece);
        n_bytes += n_piece;
        at += length;
    }
    text[n_bytes] = '\0';
    return 1;
}

int vvi_json_integer(vvi_json value, int64_t* integer) {
    const char* at = value.at;
    const int negative = at < value.end && *at == '-';
    uint64_t sum = 0;
    if (negative) ++at;
    if (at >= value.end || value.end - at > 19) return 0;
    for (; at < value.end; ++at) {
        if (*at < '0' || *at > '9') return 0;
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    if (sum > INT64_MAX) return 0;
    *integer = negative ? -(int64_t)sum : (int64_t)sum;
    return 1;
}

int vvi_json_true(vvi_json value) { return value.end - value.at == 4 && memcmp(value.at, "true", 4) == 0; }

static void put_bytes(char** at, const char* end, const char* bytes, size_t n_bytes) {
    if ((size_t)(end - *at) <= n_bytes) n_bytes = (size_t)(end - *at);
    memcpy(*at, bytes, n_bytes);
    *at += n_bytes;
}

void vvi_json_put(char** at, const char* end, const char* text) { put_bytes(at, end, text, strlen(text)); }

void vvi_json_put_string(char** at, const char* end, const char* text) {
    static const char kHex[] = "0123456789abcdef";
    vvi_json_put(at, end, "\"");
    for (; *text != '\0'; ++text) {
        const uint8_t c = (uint8_t)*text;
        if (c < 0x20) {
            const char escape[6] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
            put_bytes(at, end, escape, sizeof(escape));
        } else {
            if (c == '"' || c == '\\') vvi_json_put(at, end, "\\");
            put_bytes(at, end, text, 1);
        }
    }
    vvi_json_put(at, end, "\"");
}

static void put_digits(char** at, const char* end, uint64_t value, int least) {
    char digits[24];
    int n_digits = 0;
    while (value > 0 || n_digits < least) {
        digits[sizeof(digits) - 1 - (size_t)n_digits++] = (char)('0' + value % 10);
        value /= 10;
    }
    put_bytes(at, end, digits + sizeof(digits) - (size_t)n_digits, (size_t)n_digits);
}

void vvi_json_put_integer(char** at, const char* end, int64_t value) {
    if (value < 0) vvi_json_put(at, end, "-");
    put_digits(at, end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 1);
}

void vvi_json_put_number(char** at, const char* end, double value) {
    if (value < 0) vvi_json_put(at, end, "-");
    const double size = value < 0 ? -value : value; /* callers bound it by 1e9 */
    uint64_t whole = (uint64_t)size;
    uint64_t parts = (uint64_t)((size - (double)whole) * 1e9 + 0.5);
    if (parts >= 1000000000) {
        whole += 1;
        parts = 0;
    }
    put_digits(at, end, whole, 1);
    vvi_json_put(at, end, ".");
    put_digits(at, end, parts, 9);
}
