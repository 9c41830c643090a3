/* arena.h: memory that is freed as one: a tick's scratch, a session, a transaction, a request */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

struct arena_block;
struct arena_hook;

/* Caller's memory; zeroed is a valid empty arena with the default chunk. Not thread-safe. */
struct arena {
	struct arena_block *head;
	struct arena_hook *hooks;
	size_t chunk;
	size_t used;            /* bytes handed out since the last reset, for limits and statistics */
};

struct arena_mark {
	struct arena_block *head;
	size_t fill;
	size_t used;
};

/* chunk: bytes taken from the heap at a time, 0 for 4096; nothing is taken before the first use. Source: arena.c */
void arena_init(struct arena *a, size_t chunk);

/* n zeroed bytes, aligned for any type, never NULL; freed by the arena only. Source: arena.c */
MALLOC_LIKE void *arena_alloc(struct arena *a, size_t n);

/* Copies into the arena, NUL-terminated. Source: arena.c */
MALLOC_LIKE char *arena_strdup(struct arena *a, const char *z);
MALLOC_LIKE char *arena_strndup(struct arena *a, const char *p, size_t n);
struct span arena_span(struct arena *a, struct span s);

/* The same with instead for each control character: text of others as part of a line. Source: arena.c */
struct span arena_line(struct arena *a, struct span s, char instead);

/* Source: arena.c */
MALLOC_LIKE char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

/* Calls fn(arg) when the arena is reset or freed, last in first out: for descriptors and foreign objects.
 * Rewinding to a mark does not call hooks, so none may be set between mark and rewind. Source: arena.c */
void arena_on_free(struct arena *a, void (*fn)(void *), void *arg);

/* Everything allocated after mark is given back by rewind. Source: arena.c */
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark m);

/* reset: runs hooks, keeps one chunk for reuse. fini: runs hooks, frees all; idempotent. Source: arena.c */
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
