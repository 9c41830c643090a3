/* service.h: what a listener of master.cf means: typed configuration, compiled restrictions, networks, TLS context */
#ifndef SMTPD_SERVICE_H
#define SMTPD_SERVICE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "conf/map.h"
#include "conf/params.h"
#include "proto/netlist.h"
#include "proto/restrict.h"
#include "tls/tls.h"

/* What EHLO does not announce (smtpd_discard_ehlo_keywords). */
enum service_ehlo { SERVICE_EHLO_PIPELINING = 1, SERVICE_EHLO_SIZE = 2, SERVICE_EHLO_VRFY = 4, SERVICE_EHLO_STARTTLS = 8,
		    SERVICE_EHLO_AUTH = 16, SERVICE_EHLO_DSN = 32, SERVICE_EHLO_8BITMIME = 64,
		    SERVICE_EHLO_SMTPUTF8 = 128, SERVICE_EHLO_CHUNKING = 256, SERVICE_EHLO_STATUS = 512 };

/* Who gets missing headers (local_header_rewrite_clients). */
enum service_rewrite { SERVICE_REWRITE_INET = 1, SERVICE_REWRITE_NETWORKS = 2, SERVICE_REWRITE_SASL = 4,
		       SERVICE_REWRITE_CCERTS = 8 };

/* Commands that a parameter names, in so many words or by tables. */
struct service_words {
	const struct conf_list *plain;
	struct map **maps;
	size_t n_maps;
};

/* Shared by a listener and its sessions; does not change once made. */
struct service {
	unsigned refs;
	struct arena arena;
	const struct conf *layer;       /* what classes and values are read from; outlives the service */
	struct conf *own_layer, *own_base;      /* freed with it, or NULL */
	const char *name;               /* "smtp", "submission": for anvil and messages */
	const char *log_name;           /* "surat/submission/smtpd:", for log_as */
	struct smtpd_conf conf;
	struct global_conf global;
	bool plaintext_ok;              /* auth takes passwords in clear outside of TLS */
	bool looks_into_quotes;         /* resolve_dequoted_address */
	bool has_dotted_access;         /* access tables hold subdomains as ".example.com" */
	struct netlist mynetworks, event_exceptions, newline_exclusions, auth_exceptions;
	struct service_words forbidden, noop;
	struct restrict_prog lists[RESTRICT_LISTS];
	unsigned ehlo_off;              /* enum service_ehlo */
	unsigned rewrite;               /* enum service_rewrite */
	struct tls_ctx *tls;            /* NULL without certificate */
	bool tls_offered, tls_enforced;
};

/* What TLS is made from; each may be empty. Read only by service_new. */
struct service_keys {
	struct span pem;                /* chain and key */
	struct span client_ca;          /* authorities of client certificates */
	struct span ticket_key;         /* as in tls_params */
};

/* One reference; NULL with ERR_CONF. layer must outlive the service. No blocking. Source: service.c */
struct service *service_new(const char *name, const struct conf *layer, const struct service_keys *keys,
			    struct err *err)
	WARN_UNUSED;

/* Tells wrong all for which service_new would refuse: "parameter: what is wrong". No blocking. Source: service.c */
void service_check(const char *name, const struct conf *layer, const struct service_keys *keys,
		   void (*wrong)(void *arg, const char *text), void *arg);

/* Is that one of its commands? Source: service.c */
bool service_has_word(const struct service_words *w, struct span verb);

/* One more reference; unref takes NULL and sets it NULL. Source: service.c */
struct service *service_ref(struct service *svc);
void service_unref(struct service **svc);

/* Gives the service its layer (a reference, taken over) and one of the snapshot below, for as long as it lives. Source:
 * service.c */
void service_own(struct service *svc, struct conf **layer, struct conf *base);

#endif
