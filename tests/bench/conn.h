/* conn.h: one non-blocking client connection of the benchmarks' load programs, plain or TLS; errors end the program */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/ssl.h>
#include <sys/types.h>

#include "base/attr.h"

struct conn {
	int fd;                 /* -1 when closed */
	SSL *tls;               /* NULL for plain */
	const char *out;        /* the caller's, until out_left is 0 */
	size_t out_left;
};

/* What all connections of a program share. */
struct conn_plan {
	const char *name;       /* of the program, for messages */
	const char *host, *port; /* an IPv4 address, a number */
	int addresses;          /* local addresses from 127.0.0.1 on, taken in turn; 0 leaves the choice to the kernel */
	SSL_CTX *tls;           /* NULL for plain */
	int ep;
};

/* Ends the program with a line on standard error. Source: conn.c */
NORETURN void conn_die(const struct conn_plan *p, const char *what, const char *detail);

/* Makes p's epoll and, when is_tls, a client context that checks no certificate; as many descriptors as the limits
 * allow. Source: conn.c */
void conn_plan_init(struct conn_plan *p, bool is_tls);

/* Connects c and adds it to epoll with arg; i counts connections from 0. Blocks until connected; TLS has not begun
 * then. Source: conn.c */
void conn_open(struct conn_plan *p, struct conn *c, int i, void *arg);

/* Source: conn.c */
void conn_close(struct conn *c);

/* Sends n bytes at p_out, now or with conn_push when epoll says so. Source: conn.c */
void conn_say(struct conn_plan *p, struct conn *c, const char *p_out, size_t n, void *arg);
void conn_push(struct conn_plan *p, struct conn *c, void *arg);

/* As recv: 0 at the end, -1 with EAGAIN when nothing is there. Source: conn.c */
ssize_t conn_recv(struct conn *c, char *buf, size_t n);

#endif
