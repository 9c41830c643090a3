/* access.h: keys under which access(5) tables are asked, and what their values mean */
#ifndef PROTO_ACCESS_H
#define PROTO_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/span.h"

#define ACCESS_KEYS_MAX 64

struct access_keys {
	struct span v[ACCESS_KEYS_MAX]; /* most specific first; in lower case */
	size_t n;
	bool is_dotted;                 /* parent domains are asked as ".example.com" */
};

/* Appends "host.example.com", "example.com", "com" (parent domains match, as with parent_domain_matches_subdomains;
 * else "host.example.com", ".example.com", ".com"). Keys live in a. Source: access.c */
void access_domain_keys(struct access_keys *k, struct arena *a, struct span domain);

/* Appends "192.0.2.1", "192.0.2", "192.0", "192", or an IPv6 address and its prefixes at colons. Source: access.c */
void access_addr_keys(struct access_keys *k, struct arena *a, struct span addr);

/* Appends "user+ext@domain", "user@domain", the domain keys, "user+ext@", "user@", the user without quotes. delims:
 * recipient_delimiter.
 * Source: access.c */
void access_mail_keys(struct access_keys *k, struct arena *a, struct span address, const char *delims);

enum access_action { ACCESS_DUNNO, ACCESS_OK, ACCESS_REJECT, ACCESS_DEFER, ACCESS_DEFER_IF_PERMIT,
	ACCESS_DEFER_IF_REJECT,
		     ACCESS_REPLY, ACCESS_HOLD, ACCESS_DISCARD, ACCESS_REDIRECT, ACCESS_BCC, ACCESS_PREPEND,
		     ACCESS_WARN, ACCESS_INFO, ACCESS_FILTER, ACCESS_RESTRICTIONS };

/* What a value says; text_r is what follows the word (all of it for REPLY "4xx text" and RESTRICTIONS). Source:
 * access.c */
enum access_action access_parse(struct span value, struct span *text_r);

#endif
