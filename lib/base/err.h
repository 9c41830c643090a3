/* err.h: what went wrong, what it means for a letter, and a sentence a postmaster can act on */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/attr.h"

/* TEMP and SYS become 4xx and a retry; PERM and PROTO become 5xx; CONF stops a start or a reload. */
enum err_kind { ERR_NONE, ERR_TEMP, ERR_PERM, ERR_CONF, ERR_PROTO, ERR_SYS };

/* Lives on the caller's stack; owns nothing. dsn is an RFC 3463 status such as "4.3.0", or "" when nobody set one. */
struct err {
	enum err_kind kind;
	int sys;        /* errno of an ERR_SYS, else 0 */
	char dsn[12];
	char msg[360];
};

#define ERR_INIT { .kind = ERR_NONE }

/* Fill *err; always return -1 so that a caller can write `return err_set(...)`. A message that does not fit is
 * cut at a character boundary. Source: err.c */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);

/* Kind SYS from errno (also keeps errno in err->sys); appends ": " and strerror. Source: err.c */
int err_sys(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Like err_set with an RFC 3463 status code. Source: err.c */
int err_dsn(struct err *err, enum err_kind kind, const char *dsn, const char *fmt, ...) PRINTF(4, 5);

/* Prefixes "context: " to the message that is there; kind and dsn stay. Source: err.c */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* True when the letter must be kept and tried again: everything but a definite no. Source: err.c */
bool err_is_temporary(const struct err *err);

#endif
