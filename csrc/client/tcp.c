/* Sockets; VVC_NO_SOCKETS leaves all of it out. */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#ifndef VVC_NO_SOCKETS
#include "client/tcp.h"

#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#if !defined(_WIN32_WINNT)
#define _WIN32_WINNT 0x0600
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
typedef SOCKET native_socket;
#define close_native closesocket
#define poll_native WSAPoll
#define last_error() WSAGetLastError()
#define is_pending(code) ((code) == WSAEWOULDBLOCK || (code) == WSAEINPROGRESS)
#define is_interrupted(code) ((code) == WSAEINTR)
#define REFUSED_CODE WSAECONNREFUSED
#define SEND_FLAGS 0
typedef int transfer_size;
typedef WSAPOLLFD poll_entry;

int vvi_tcp_start(void) {
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

void vvi_tcp_stop(void) { WSACleanup(); }

static int set_nonblocking(native_socket socket) {
    u_long on = 1;
    return ioctlsocket(socket, (long)FIONBIO, &on) == 0;
}
#else
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int native_socket;
#define close_native close
#define poll_native poll
#define last_error() errno
#define is_pending(code) ((code) == EINPROGRESS || (code) == EAGAIN || (code) == EWOULDBLOCK)
#define is_interrupted(code) ((code) == EINTR)
#define REFUSED_CODE ECONNREFUSED
#if defined(MSG_NOSIGNAL)
#define SEND_FLAGS MSG_NOSIGNAL
#else
#define SEND_FLAGS 0
#endif
typedef size_t transfer_size;
typedef struct pollfd poll_entry;

int vvi_tcp_start(void) { return 1; }

void vvi_tcp_stop(void) {}

static int set_nonblocking(native_socket socket) {
    const int flags = fcntl(socket, F_GETFL, 0);
    return flags >= 0 && fcntl(socket, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(socket, F_SETFD, FD_CLOEXEC) == 0;
}
#endif

static int explain(int code, char* error, size_t capacity) {
    if (code == REFUSED_CODE) {
        snprintf(error, capacity, "nothing listens there; is `visavis serve` running, on that port?");
    } else {
        snprintf(error, capacity, "the system says error %d", code);
    }
    return -1;
}

static void set_options(native_socket socket) {
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, (const char*)&on, sizeof(on));
#if defined(SO_NOSIGPIPE)
    setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, (const char*)&on, sizeof(on));
#endif
}

intptr_t vvi_tcp_connect(const char* host, uint16_t port, char* error, size_t capacity) {
    struct addrinfo hints, *found = NULL;
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, service, &hints, &found) != 0 || found == NULL) {
        snprintf(error, capacity, "the name %.64s cannot be found", host);
        return VVI_NO_SOCKET;
    }
    intptr_t result = VVI_NO_SOCKET;
    for (const struct addrinfo* at = found; at != NULL && result == VVI_NO_SOCKET; at = at->ai_next) {
        const native_socket made = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if ((intptr_t)made == VVI_NO_SOCKET) continue;
        set_options(made);
        int code = 0;
        if (!set_nonblocking(made) || connect(made, at->ai_addr, (socklen_t)at->ai_addrlen) != 0) code = last_error();
        if (code == 0 || is_pending(code)) {
            result = (intptr_t)made;
        } else {
            explain(code, error, capacity);
            close_native(made);
        }
    }
    freeaddrinfo(found);
    return result;
}

int vvi_tcp_connected(intptr_t socket, char* error, size_t capacity) {
    poll_entry entry;
    memset(&entry, 0, sizeof(entry));
    entry.fd = (native_socket)socket;
    entry.events = POLLOUT;
    const int ready = poll_native(&entry, 1, 0);
    if (ready == 0) return 0;
    int code = 0;
    socklen_t size = sizeof(code);
    if (ready < 0 || getsockopt((native_socket)socket, SOL_SOCKET, SO_ERROR, (char*)&code, &size) != 0) {
        return explain(last_error(), error, capacity);
    }
    return code == 0 ? 1 : explain(code, error, capacity);
}

void vvi_tcp_close(intptr_t socket) { close_native((native_socket)socket); }

static long moved(long n_bytes) {
    if (n_bytes > 0) return n_bytes;
    if (n_bytes == 0) return -1; /* the peer has closed */
    const int code = last_error();
    return is_pending(code) || is_interrupted(code) ? 0 : -1;
}

long vvi_tcp_receive(intptr_t socket, uint8_t* bytes, size_t capacity) {
    return moved((long)recv((native_socket)socket, (char*)bytes, (transfer_size)capacity, 0));
}

long vvi_tcp_send(intptr_t socket, const uint8_t* bytes, size_t n_bytes) {
    return moved((long)send((native_socket)socket, (const char*)bytes, (transfer_size)n_bytes, SEND_FLAGS));
}

void vvi_tcp_wait(const intptr_t* sockets, const int* writes, int* reads, int n_sockets, int timeout_ms) {
    poll_entry entries[4];
    int owners[4];
    int n_entries = 0;
    memset(entries, 0, sizeof(entries));
    for (int i = 0; i < n_sockets; ++i) {
        reads[i] = 0;
        if (sockets[i] == VVI_NO_SOCKET || n_entries == 4) continue;
        entries[n_entries].fd = (native_socket)sockets[i];
        entries[n_entries].events = (short)(POLLIN | (writes[i] ? POLLOUT : 0));
        owners[n_entries++] = i;
    }
#if defined(_WIN32)
    if (n_entries == 0) {
        Sleep((DWORD)timeout_ms);
        return;
    }
#endif
    poll_native(entries, (unsigned)n_entries, timeout_ms);
    for (int k = 0; k < n_entries; ++k) reads[owners[k]] = (entries[k].revents & ~POLLOUT) != 0;
}

#else
typedef int vvi_no_sockets; /* a translation unit is not empty */
#endif
