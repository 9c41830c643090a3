/* dns.h: the name of a client address, searched in /etc/hosts and in the DNS without ever waiting */
#ifndef RESOLVE_DNS_H
#define RESOLVE_DNS_H

#include <sys/queue.h>

#include "conf/conf.h"
#include "io/loop.h"
#include "svc/msg_resolve.h"

struct dns;

struct dns_options {
	const struct conf_list *servers;        /* "address" or "address@port"; empty: those of /etc/resolv.conf */
	const char *hosts;                      /* "/etc/hosts" */
	uint64_t timeout_ms;                    /* for one client's name, all questions together */
	size_t cache_max;                       /* names remembered */
};

/* name is valid until the call returns. Called exactly once for each dns_ptr, maybe before that returns. */
typedef void dns_fn(void *arg, const struct ptr_name *name);

/* Embedded in its owner, at a fixed address until fn was called. */
struct dns_req {
	struct dns *d;
	LIST_ENTRY(dns_req) link;
	dns_fn *fn;
	void *arg;
	int async_id;                           /* of the question that is out, 0: none */
	uint64_t deadline_ms;
	struct span address;                    /* text, owned */
	unsigned char ip[16];
	int family;
	char *reverse;                          /* what PTR said, owned */
	uint64_t ttl_s;
};

/* Makes the resolver; its thread starts with the first question. opt is copied, hosts and servers are not kept.
 * -1 ERR_CONF for a server that is no address. Source: dns.c */
int dns_open(struct dns **d_r, struct loop *loop, const struct dns_options *opt, struct err *err) WARN_UNUSED;

/* Answers what is still open with MSG_TEMP. Takes NULL. Source: dns.c */
void dns_close(struct dns *d);

/* The verified name of an address in text form (RFC 5321 section 4.1.3 without brackets). Source: dns.c */
void dns_ptr(struct dns *d, struct dns_req *req, struct span address, dns_fn *fn, void *arg);

/* Appends the host name in the wire format of RFC 1035 section 3.1 as text without the last dot. -1: not well-formed,
 * or no host name. Source: dns_text.c */
int dns_text_name(struct str *out, struct span wire) WARN_UNUSED;

/* "1.2.0.192.in-addr.arpa" for an address of 4 or 16 bytes. Source: dns_text.c */
void dns_text_reverse(char out[80], const unsigned char *ip, int family);

/* Reads text as an address; IPv4 in IPv6 becomes IPv4. The family, or -1. Source: dns_text.c */
int dns_text_address(struct span text, unsigned char ip[16]);

/* The first name that text in the form of hosts(5) gives the address; false if none. Source: dns_text.c */
bool dns_text_hosts(struct span text, const unsigned char *ip, int family, struct span *name_r);

#endif
