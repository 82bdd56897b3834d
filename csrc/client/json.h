/* The little JSON that the client reads (descriptions, replies) and writes (requests).  Nothing is allocated, depth and
 * length are bounded, what is malformed is not found. */
#ifndef VISAVIS_CLIENT_JSON_H
#define VISAVIS_CLIENT_JSON_H

#include <stddef.h>
#include <stdint.h>

typedef struct vvi_json { /* one value in a text */
    const char* at;
    const char* end;
} vvi_json;

vvi_json vvi_json_text(const uint8_t* bytes, size_t n_bytes);
/* A member of an object; 0: there is none. */
int vvi_json_member(vvi_json object, const char* name, vvi_json* value);
/* The next element of an array: begin with *cursor = NULL; 0: no more. */
int vvi_json_next(vvi_json array, const char** cursor, vvi_json* element);
/* A string without its escapes, cut to the capacity and ended by a zero; 0: it is none. */
int vvi_json_string(vvi_json value, char* text, size_t capacity);
int vvi_json_integer(vvi_json value, int64_t* integer);
int vvi_json_true(vvi_json value);

/* Writing: appends, *at moves; nothing beyond `end`, where *at stays (then it did not fit). */
void vvi_json_put(char** at, const char* end, const char* text);
void vvi_json_put_string(char** at, const char* end, const char* text);
void vvi_json_put_integer(char** at, const char* end, int64_t value);
void vvi_json_put_number(char** at, const char* end, double value); /* whatever the locale, 9 decimals */

#endif
