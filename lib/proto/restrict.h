/* restrict.h: the smtpd_*_restrictions lists as programs: names, arguments, classes; smtpd runs them */
#ifndef PROTO_RESTRICT_H
#define PROTO_RESTRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "conf/mastercf.h"

enum restrict_list { RESTRICT_CLIENT, RESTRICT_HELO, RESTRICT_SENDER, RESTRICT_RELAY, RESTRICT_RECIPIENT, RESTRICT_DATA,
		     RESTRICT_END_OF_DATA, RESTRICT_LISTS };

enum restrict_code {
	RESTRICT_PERMIT, RESTRICT_REJECT, RESTRICT_DEFER, RESTRICT_DEFER_IF_PERMIT, RESTRICT_DEFER_IF_REJECT,
		RESTRICT_SLEEP,
	RESTRICT_PERMIT_MYNETWORKS, RESTRICT_PERMIT_SASL, RESTRICT_PERMIT_ALL_CCERTS, RESTRICT_PERMIT_AUTH_DEST,
	RESTRICT_PERMIT_INET_INTERFACES,
	RESTRICT_REJECT_UNAUTH_DEST, RESTRICT_DEFER_UNAUTH_DEST, RESTRICT_REJECT_PIPELINING, RESTRICT_REJECT_PLAINTEXT,
	RESTRICT_NON_FQDN_SENDER, RESTRICT_NON_FQDN_RECIPIENT, RESTRICT_NON_FQDN_HELO, RESTRICT_INVALID_HELO,
	RESTRICT_UNKNOWN_CLIENT, RESTRICT_UNKNOWN_REVERSE, RESTRICT_UNLISTED_SENDER, RESTRICT_UNLISTED_RECIPIENT,
	RESTRICT_LOGIN_MISMATCH, RESTRICT_AUTH_LOGIN_MISMATCH, RESTRICT_KNOWN_LOGIN_MISMATCH,
	RESTRICT_UNAUTH_LOGIN_MISMATCH,
	RESTRICT_MULTI_RCPT_BOUNCE,
	RESTRICT_CLIENT_ACCESS, RESTRICT_HELO_ACCESS, RESTRICT_SENDER_ACCESS, RESTRICT_RECIPIENT_ACCESS,
	RESTRICT_SASL_ACCESS,
	RESTRICT_REVERSE_ACCESS, RESTRICT_CCERT_ACCESS,
};

struct restrict_op {
	enum restrict_code code;
	bool warn;                      /* behind warn_if_reject */
	const char *name;               /* as written, for messages */
	const char *map;                /* "type:name" of a check_*_access */
	uint64_t seconds;               /* of sleep */
};

struct restrict_prog {
	const struct restrict_op *ops;
	size_t n;
};

/* Compiles words into a program that lives in a. Classes are taken from c (smtpd_restriction_classes) and put in place.
 * what: the parameter's name for messages. -1 ERR_CONF: an unknown name (with the nearest one), one that is not
 * supported yet, a missing argument, a class that contains itself. No blocking. Source: restrict.c */
int restrict_compile(struct restrict_prog *out_r, struct arena *a, const struct conf *c, const char *what,
	const struct conf_list *words, struct err *err) WARN_UNUSED;

/* All lists of a configuration: -1 with the first error. Source: restrict.c */
int restrict_check(const struct conf *c, struct err *err) WARN_UNUSED;

/* Every list of main.cf and of the services of smtpd that is wrong, each once and with its place; -1 when any is.
 * Source: restrict.c */
int restrict_check_all(const struct conf *c, const struct mastercf *m, struct conf_errors *errors);

/* "smtpd_client_restrictions" and so on. Source: restrict.c */
const char *restrict_list_name(enum restrict_list list);

#endif
