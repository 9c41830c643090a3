/* fetch_flags.h: the text of flags, kept for each combination that occurred: there are few among many messages */
#ifndef IMAPD_FETCH_FLAGS_H
#define IMAPD_FETCH_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/str.h"
#include "store/keywords.h"

#define FETCH_FLAGS_SLOTS 64

/* Caller's memory, zeroed but for k, which must not change meanwhile. */
struct fetch_flags {
	const struct keywords *k;
	struct {
		uint32_t flags;
		bool is_recent, is_used;
		struct str text;
	} slot[FETCH_FLAGS_SLOTS];
};

/* "(\Seen $Junk)", valid until the next call. Source: fetch_flags.c */
struct span fetch_flags_text(struct fetch_flags *c, uint32_t flags, bool is_recent);

/* Keywords changed: forgets what is kept. Also frees it; idempotent. Source: fetch_flags.c */
void fetch_flags_fini(struct fetch_flags *c);

#endif
