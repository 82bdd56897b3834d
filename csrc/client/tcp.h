/* Non-blocking TCP connections, of POSIX systems and Windows alike. */
#ifndef VISAVIS_CLIENT_TCP_H
#define VISAVIS_CLIENT_TCP_H

#include <stddef.h>
#include <stdint.h>

#define VVI_NO_SOCKET ((intptr_t)-1)

int vvi_tcp_start(void); /* 1: the system's sockets are ready */
void vvi_tcp_stop(void);

/* Begins to connect; VVI_NO_SOCKET and a text if that fails at once.  Looking up a name may take a while. */
intptr_t vvi_tcp_connect(const char* host, uint16_t port, char* error, size_t capacity);
/* 1: connected, 0: not yet, -1: failed with a text. */
int vvi_tcp_connected(intptr_t socket, char* error, size_t capacity);
void vvi_tcp_close(intptr_t socket);

/* Bytes moved; 0: none for now; -1: the connection is gone. */
long vvi_tcp_receive(intptr_t socket, uint8_t* bytes, size_t capacity);
long vvi_tcp_send(intptr_t socket, const uint8_t* bytes, size_t n_bytes);

/* Waits until a socket can be read, or written where `writes` says so; `reads` gets which have something to read (or an
 * end to report).  VVI_NO_SOCKET entries are passed over. */
void vvi_tcp_wait(const intptr_t* sockets, const int* writes, int* reads, int n_sockets, int timeout_ms);

#endif
