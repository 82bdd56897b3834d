/* CURVE (rfc.zeromq.org/spec/26), the client's side, through libsodium.  Without it (no VVC_WITH_SODIUM) every call
 * fails and vvi_curve_available() is 0. */
#ifndef VISAVIS_CLIENT_CURVE_H
#define VISAVIS_CLIENT_CURVE_H

#include <stddef.h>
#include <stdint.h>

enum {
    VVI_KEY_BYTES = 32,
    VVI_Z85_BYTES = 40,          /* characters of a key in Z85 */
    VVI_CURVE_HELLO_BYTES = 200, /* the body of a HELLO command, name included */
    VVI_CURVE_OVERHEAD = 33      /* what sealing adds to a message */
};

typedef struct vvi_curve {
    int on;
    uint8_t server_key[VVI_KEY_BYTES], public_key[VVI_KEY_BYTES], secret_key[VVI_KEY_BYTES];
    /* of this connection: */
    uint8_t short_public[VVI_KEY_BYTES], short_secret[VVI_KEY_BYTES], server_short[VVI_KEY_BYTES];
    uint8_t shared[VVI_KEY_BYTES];
    uint64_t sent, heard; /* nonces: ours used so far, the peer's last */
} vvi_curve;

int vvi_curve_available(void);
/* Keys from Z85 text of 40 characters; empty public and secret keys: a fresh pair.  NULL, or what is wrong. */
const char* vvi_curve_keys(vvi_curve* curve, const char* server_key, const char* public_key, const char* secret_key);

/* The handshake's commands, bodies with names.  0: failed (not from the server of that key). */
size_t vvi_curve_hello(vvi_curve* curve, uint8_t* command);
size_t vvi_curve_initiate(vvi_curve* curve, const uint8_t* welcome, size_t n_bytes, const uint8_t* metadata,
                          size_t n_metadata, uint8_t* command);
/* The metadata in a READY command, opened in place; NULL: failed. */
uint8_t* vvi_curve_ready(vvi_curve* curve, uint8_t* ready, size_t n_bytes, size_t* n_metadata);

/* A frame: flags and content into n_bytes + VVI_CURVE_OVERHEAD; and back, in place. */
int vvi_curve_seal(vvi_curve* curve, uint8_t flags, const uint8_t* first, size_t n_first, const uint8_t* bytes,
                   size_t n_bytes, uint8_t* out);
uint8_t* vvi_curve_unseal(vvi_curve* curve, uint8_t* frame, size_t n_bytes, uint8_t* flags, size_t* n_content);

#endif
