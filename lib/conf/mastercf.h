/* mastercf.h: master.cf: which services there are, where they listen, and the parameters each has of its own */
#ifndef CONF_MASTERCF_H
#define CONF_MASTERCF_H

#include "conf/conf.h"

enum mastercf_type {
	MASTERCF_INET,          /* a TCP socket */
	MASTERCF_UNIX,          /* a named socket, or a daemon that only the suite itself talks to */
	MASTERCF_PASS,          /* connections are handed in by another service */
};

#define MASTERCF_UNLIMITED UINT64_MAX

struct mastercf_override {
	const char *name;
	const char *value;
};

/* All strings live as long as the struct mastercf. */
struct mastercf_service {
	const char *name;               /* the first column: "submission", "127.0.0.1:10025" */
	enum mastercf_type type;
	const char *host;               /* without brackets; NULL: the addresses of inet_interfaces */
	uint16_t port;                  /* of MASTERCF_INET */
	bool is_private;
	uint64_t max_sessions;          /* the maxproc column: sessions at once; 0 for "-" (default_process_limit) */
	const char *command;            /* "smtpd" */
	const struct mastercf_override *overrides;
	size_t n_overrides;
	unsigned line;
};

/* Zeroed is valid and empty. */
struct mastercf {
	struct arena arena;
	struct mastercf_service *v;
	size_t n;
	const char *file;
};

/* Reads DIR/master.cf, or text in memory. Rows of Postfix daemons that Surat does not need are left out with a warning;
 * unknown commands, wrong columns, services that stand twice and -o options with unknown names or wrong values are
 * errors, all of them in errors with file:line. base: main.cf, to check -o options; NULL checks no values. 0 when there
 * is no error; m must be finished in both cases. load blocks on the file. Source: mastercf.c */
int mastercf_load(struct mastercf *m, const char *dir, const struct conf *base, struct conf_errors *errors) WARN_UNUSED;
int mastercf_parse(struct mastercf *m, const char *file, struct span text, const struct conf *base,
                   struct conf_errors *errors) WARN_UNUSED;

/* Makes *c the layer of one service's options (and $service_name) over base, which must outlive it; the caller calls
 * conf_fini. -1 ERR_CONF for an unknown name (mastercf_load with base has checked that). Source: mastercf.c */
int mastercf_overlay(struct conf *c, const struct conf *base, const struct mastercf *m,
                     const struct mastercf_service *s, struct err *err) WARN_UNUSED;

/* Appends the service's options as lines "name = value"; -1: out is full. Source: mastercf.c */
int mastercf_add_options(const struct mastercf_service *s, struct str *out) WARN_UNUSED;

/* The first service with this command, or NULL. Source: mastercf.c */
const struct mastercf_service *mastercf_find(const struct mastercf *m, const char *command);

/* Frees what m owns; idempotent. Source: mastercf.c */
void mastercf_fini(struct mastercf *m);

#endif
