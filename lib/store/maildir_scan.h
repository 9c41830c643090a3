/* maildir_scan.h: what messages a Maildir holds; reads new/ and cur/ and changes nothing */
#ifndef STORE_MAILDIR_SCAN_H
#define STORE_MAILDIR_SCAN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "store/maildir.h"

struct maildir_entry {
	const char *name;               /* file name with flags, in the scan's arena */
	size_t base_n;                  /* bytes of it before ":2," */
	bool is_new;                    /* in new/, else in cur/ */
	uint32_t uid;                   /* 0 until uidlist_sync_held has set it */
	uint64_t arrival_s;             /* as the name tells it */
	uint64_t hash;                  /* of the base name */
	uint32_t twin;                  /* index + 1 of the last of its twins, 0: none */
};

/* Another name in cur/ that was seen with the base name of an entry. */
struct maildir_twin {
	const char *name;
	uint32_t next;                  /* of the same entry, index + 1 */
};

/* Caller's memory; zeroed is empty. */
struct maildir_scan {
	struct arena arena;
	struct maildir_entry *v;
	size_t n, cap;
	uint32_t *slots;                /* by hash of the base name: index + 1, 0: free */
	size_t n_slots;                 /* a power of two */
	struct maildir_twin *twins;
	size_t n_twins, cap_twins;
};

/* Adds what is in new/ and cur/ now; of two files with one base name the one seen last counts. A file that is renamed
 * meanwhile may be missed: scan again (into the same scan) when one that was known is not there. ERR_SYS. Blocks.
 * Source: maildir_scan.c */
int maildir_scan(struct maildir_scan *s, const struct maildir *md, struct err *err) WARN_UNUSED;

/* The same of one directory, a descriptor of new/ or cur/. Source: maildir_scan.c */
int maildir_scan_dir(struct maildir_scan *s, int dir, bool is_new, struct err *err) WARN_UNUSED;

/* Adds a file. Source: maildir_scan.c */
void maildir_scan_add(struct maildir_scan *s, const char *name, bool is_new);
void maildir_scan_fini(struct maildir_scan *s);

/* Order of arrival, for qsort. Source: maildir_scan.c */
int maildir_entry_cmp(const struct maildir_entry *x, const struct maildir_entry *y);

/* Orders by time of arrival as the names tell it. Source: maildir_scan.c */
void maildir_scan_sort(struct maildir_scan *s);

/* NULL when there is none. Source: maildir_scan.c */
struct maildir_entry *maildir_scan_find(const struct maildir_scan *s, struct span base);

static inline struct span maildir_entry_base(const struct maildir_entry *e)
{
	return (struct span){ e->name, e->base_n };
}

#define MAILDIR_AHEAD 8

/* Memory is asked for the name of an entry some turns before it is read: names lie in the order of the directory. */
static inline void maildir_entry_fetch(const struct maildir_entry *e)
{
	__builtin_prefetch(e->name);
	__builtin_prefetch(e->name + 63);
}

/* Looks for the file of a base name in cur/ and new/ whatever its flags are now; 1 and *e_r (name in a), 0 when it is
 * gone, -1 ERR_SYS. Blocks. Source: maildir_scan.c */
int maildir_locate(const struct maildir *md, struct span base, struct arena *a, struct maildir_entry *e_r,
		   struct err *err);

/* The number behind ",W=" (octets with CRLF line ends) or ",S=" (of the file) in a base name; -1 when it has none.
 * Source: maildir_scan.c */
int maildir_size_tag(struct span base, char tag, uint64_t *n_r) WARN_UNUSED;

#endif
