/* certs.h: certificates and keys as sealed bytes for daemons that see no file */
#ifndef MASTER_CERTS_H
#define MASTER_CERTS_H

#include <sys/stat.h>

#include "config.h"

struct cert_file {
	const char *path;
	struct stat st;
};

struct cert {
	const char *program;            /* who gets it */
	const char *name;               /* the parameter: "smtpd_tls_cert_file", "smtpd_tls_CAfile", "ssl_cert" */
	const char *service;            /* of master.cf, "" for all */
	const char *overrides;          /* "name = value" lines of that service, "" for all */
	struct cert_file *files;
	size_t n_files;
	bool is_changing;               /* the last look found other times; the next quiet one reads */
	int fd;                         /* sealed memfd */
	uint64_t size;
	int before_fd;                  /* what was in use until a change; -1 */
	uint64_t before_size;
};

/* Zeroed is empty. */
struct certs {
	struct arena arena;
	struct cert *v;
	size_t n;
};

/* Reads all certificate files that c names; each that cannot be read is an error. 0/-1; blocks. Source: certs.c */
int certs_load(struct certs *cs, const struct config *c, struct conf_errors *errors) WARN_UNUSED;
void certs_fini(struct certs *cs);

/* Looks whether files changed and reads those that have and are quiet again; calls changed for each new one. A file
 * that cannot be read is logged and the old bytes stay. Source: certs.c */
void certs_poll(struct certs *cs, void (*changed)(void *arg, const struct cert *c), void *arg);

/* Who it is for cannot use what was read last: what was there before takes its place until the files change. NULL when
 * there is none, or that was done already. Source: certs.c */
const struct cert *certs_take_back(struct certs *cs, const char *program, struct span name, struct span service);

#endif
