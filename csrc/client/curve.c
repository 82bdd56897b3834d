/* The client's side of CURVE: HELLO, WELCOME, INITIATE, READY, then sealed messages. */
#include "client/curve.h"

#include <string.h>

#ifdef VVC_WITH_SODIUM
#include <sodium.h>

enum { NONCE = crypto_box_NONCEBYTES, MAC = crypto_box_MACBYTES, COOKIE = 96 };

static const char kZ85[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

int vvi_curve_available(void) { return 1; }

static int from_z85(const char* text, uint8_t* key) {
    for (int i = 0; i < VVI_Z85_BYTES; i += 5) {
        uint64_t value = 0;
        for (int k = 0; k < 5; ++k) {
            const char* digit = text[i + k] == '\0' ? NULL : strchr(kZ85, text[i + k]);
            if (digit == NULL) return 0;
            value = value * 85 + (uint64_t)(digit - kZ85);
        }
        if (value > UINT32_MAX) return 0;
        for (int k = 0; k < 4; ++k) key[i / 5 * 4 + k] = (uint8_t)(value >> (8 * (3 - k)));
    }
    return text[VVI_Z85_BYTES] == '\0';
}

const char* vvi_curve_keys(vvi_curve* curve, const char* server_key, const char* public_key, const char* secret_key) {
    if (sodium_init() < 0) return "libsodium cannot start";
    if (!from_z85(server_key, curve->server_key)) return "server_key: expected 40 characters of Z85";
    if (public_key[0] == '\0' && secret_key[0] == '\0') {
        crypto_box_keypair(curve->public_key, curve->secret_key);
    } else if (!from_z85(public_key, curve->public_key) || !from_z85(secret_key, curve->secret_key)) {
        return "public_key and secret_key: expected 40 characters of Z85 each, or both empty";
    }
    curve->on = 1;
    return NULL;
}

/* A nonce: 16 characters and a counter, or 8 characters and 16 bytes. */
static void short_nonce(uint8_t* nonce, const char* prefix, const uint8_t* counter) {
    memcpy(nonce, prefix, 16);
    memcpy(nonce + 16, counter, 8);
}

static void long_nonce(uint8_t* nonce, const char* prefix, const uint8_t* bytes) {
    memcpy(nonce, prefix, 8);
    memcpy(nonce + 8, bytes, 16);
}

static void put_counter(uint64_t value, uint8_t* at) {
    for (int i = 0; i < 8; ++i) at[i] = (uint8_t)(value >> (8 * (7 - i)));
}

static uint64_t get_counter(const uint8_t* at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | at[i];
    return value;
}

size_t vvi_curve_hello(vvi_curve* curve, uint8_t* command) {
    uint8_t nonce[NONCE];
    static const uint8_t kZeros[64];
    crypto_box_keypair(curve->short_public, curve->short_secret);
    curve->sent = 1;
    curve->heard = 0;
    memset(command, 0, VVI_CURVE_HELLO_BYTES);
    memcpy(command, "\005HELLO\001", 7); /* version 1.0, 72 zeros */
    memcpy(command + 80, curve->short_public, VVI_KEY_BYTES);
    put_counter(curve->sent, command + 112);
    short_nonce(nonce, "CurveZMQHELLO---", command + 112);
    if (crypto_box_easy(command + 120, kZeros, sizeof(kZeros), nonce, curve->server_key, curve->short_secret) != 0) {
        return 0;
    }
    return VVI_CURVE_HELLO_BYTES;
}

/* C (32), nonce (16), box[C', S] (80) and the metadata, boxed for the server's short key. */
size_t vvi_curve_initiate(vvi_curve* curve, const uint8_t* welcome, size_t n_bytes, const uint8_t* metadata,
                          size_t n_metadata, uint8_t* command) {
    uint8_t nonce[NONCE], opened[VVI_KEY_BYTES + COOKIE], vouched[2 * VVI_KEY_BYTES], inner[256];
    if (n_bytes != 8 + 16 + MAC + sizeof(opened) || n_metadata > 64) return 0;
    long_nonce(nonce, "WELCOME-", welcome + 8);
    if (crypto_box_open_easy(opened, welcome + 24, MAC + sizeof(opened), nonce, curve->server_key,
                             curve->short_secret) != 0) {
        return 0;
    }
    memcpy(curve->server_short, opened, VVI_KEY_BYTES);
    if (crypto_box_beforenm(curve->shared, curve->server_short, curve->short_secret) != 0) return 0;

    memcpy(vouched, curve->short_public, VVI_KEY_BYTES);
    memcpy(vouched + VVI_KEY_BYTES, curve->server_key, VVI_KEY_BYTES);
    memcpy(inner, curve->public_key, VVI_KEY_BYTES);
    randombytes_buf(inner + VVI_KEY_BYTES, 16);
    long_nonce(nonce, "VOUCH---", inner + VVI_KEY_BYTES);
    if (crypto_box_easy(inner + VVI_KEY_BYTES + 16, vouched, sizeof(vouched), nonce, curve->server_short,
                        curve->secret_key) != 0) {
        return 0;
    }
    const size_t n_inner = VVI_KEY_BYTES + 16 + MAC + sizeof(vouched) + n_metadata;
    memcpy(inner + n_inner - n_metadata, metadata, n_metadata);

    memcpy(command, "\010INITIATE", 9);
    memcpy(command + 9, opened + VVI_KEY_BYTES, COOKIE);
    put_counter(++curve->sent, command + 9 + COOKIE);
    short_nonce(nonce, "CurveZMQINITIATE", command + 9 + COOKIE);
    crypto_box_easy_afternm(command + 9 + COOKIE + 8, inner, n_inner, nonce, curve->shared);
    return 9 + COOKIE + 8 + MAC + n_inner;
}

/* Opens what the peer boxed behind `n_name` bytes of name and a counter that must rise. */
static uint8_t* unbox(vvi_curve* curve, uint8_t* at, size_t n_bytes, size_t n_name, const char* prefix, size_t* n) {
    uint8_t nonce[NONCE];
    if (n_bytes < n_name + 8 + MAC) return NULL;
    const uint64_t counter = get_counter(at + n_name);
    if (counter <= curve->heard) return NULL; /* replayed */
    short_nonce(nonce, prefix, at + n_name);
    uint8_t* box = at + n_name + 8;
    *n = n_bytes - n_name - 8 - MAC;
    if (crypto_box_open_easy_afternm(box, box, *n + MAC, nonce, curve->shared) != 0) return NULL;
    curve->heard = counter;
    return box;
}

uint8_t* vvi_curve_ready(vvi_curve* curve, uint8_t* ready, size_t n_bytes, size_t* n_metadata) {
    return unbox(curve, ready, n_bytes, 6, "CurveZMQREADY---", n_metadata);
}

int vvi_curve_seal(vvi_curve* curve, uint8_t flags, const uint8_t* first, size_t n_first, const uint8_t* bytes,
                   size_t n_bytes, uint8_t* out) {
    uint8_t nonce[NONCE];
    memcpy(out, "\007MESSAGE", 8);
    put_counter(++curve->sent, out + 8);
    short_nonce(nonce, "CurveZMQMESSAGEC", out + 8);
    uint8_t* box = out + 16; /* libsodium boxes overlapping memory */
    box[MAC] = flags;
    if (n_first > 0) memcpy(box + MAC + 1, first, n_first);
    if (n_bytes > 0) memcpy(box + MAC + 1 + n_first, bytes, n_bytes);
    return crypto_box_easy_afternm(box, box + MAC, 1 + n_first + n_bytes, nonce, curve->shared) == 0;
}

uint8_t* vvi_curve_unseal(vvi_curve* curve, uint8_t* frame, size_t n_bytes, uint8_t* flags, size_t* n_content) {
    if (n_bytes < 8 || memcmp(frame, "\007MESSAGE", 8) != 0) return NULL;
    uint8_t* content = unbox(curve, frame, n_bytes, 8, "CurveZMQMESSAGES", n_content);
    if (content == NULL || *n_content == 0) return NULL;
    *flags = content[0];
    *n_content -= 1;
    return content + 1;
}

#else

int vvi_curve_available(void) { return 0; }

const char* vvi_curve_keys(vvi_curve* curve, const char* server_key, const char* public_key, const char* secret_key) {
    (void)curve, (void)server_key, (void)public_key, (void)secret_key;
    return "this build has no CURVE: build it where libsodium is installed";
}

size_t vvi_curve_hello(vvi_curve* curve, uint8_t* command) { return (void)curve, (void)command, (size_t)0; }

size_t vvi_curve_initiate(vvi_curve* curve, const uint8_t* welcome, size_t n_bytes, const uint8_t* metadata,
                          size_t n_metadata, uint8_t* command) {
    (void)curve, (void)welcome, (void)n_bytes, (void)metadata, (void)n_metadata, (void)command;
    return 0;
}

uint8_t* vvi_curve_ready(vvi_curve* curve, uint8_t* ready, size_t n_bytes, size_t* n_metadata) {
    (void)curve, (void)ready, (void)n_bytes, (void)n_metadata;
    return NULL;
}

int vvi_curve_seal(vvi_curve* curve, uint8_t flags, const uint8_t* first, size_t n_first, const uint8_t* bytes,
                   size_t n_bytes, uint8_t* out) {
    (void)curve, (void)flags, (void)first, (void)n_first, (void)bytes, (void)n_bytes, (void)out;
    return 0;
}

uint8_t* vvi_curve_unseal(vvi_curve* curve, uint8_t* frame, size_t n_bytes, uint8_t* flags, size_t* n_content) {
    (void)curve, (void)frame, (void)n_bytes, (void)flags, (void)n_content;
    return NULL;
}

#endif
