/* str.h: a growable byte string with a hard upper limit; .p is never NULL and always NUL-terminated */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

extern char str_empty[1];

struct str {
	char *p;
	size_t n;       /* bytes in use, without the NUL */
	size_t cap;
	size_t max;     /* n never exceeds this */
};

#define STR_INIT(limit) { .p = str_empty, .max = (limit) }

/* For a str in caller's memory that had no initializer; max in bytes. Source: str.c */
void str_init(struct str *s, size_t max);

/* fini frees and leaves an empty string of the same max; reset keeps the memory. Source: str.c */
void str_fini(struct str *s);
void str_reset(struct str *s);

/* Cuts to n bytes; n must not exceed the length. Source: str.c */
void str_cut(struct str *s, size_t n);

/* Append; 0, or -1 only if the limit would be exceeded, and then nothing is added. Source: str.c */
int str_add_slow(struct str *s, const void *p, size_t n);
int str_addz(struct str *s, const char *z);
int str_add_span(struct str *s, struct span v);
int str_add_u64(struct str *s, uint64_t n);            /* in decimal */
int str_addf(struct str *s, const char *fmt, ...) PRINTF(2, 3);

/* Room for n more bytes at s->p + s->n, NULL if over the limit; str_grew tells how many were filled. Source: str.c */
char *str_room(struct str *s, size_t n);
void str_grew(struct str *s, size_t n);

/* Removes n bytes from the front by moving the rest. Source: str.c */
void str_drop(struct str *s, size_t n);

/* Hands the bytes to the caller, who frees them; s is empty after. Source: str.c */
char *str_detach(struct str *s);

/* Most find room. */
static inline int str_add(struct str *s, const void *p, size_t n)
{
	if (!n || n >= s->cap - s->n || n > s->max - s->n)
		return str_add_slow(s, p, n);
	memcpy(s->p + s->n, p, n);
	s->n += n;
	s->p[s->n] = '\0';
	return 0;
}

static inline int str_addc(struct str *s, char c)
{
	return str_add(s, &c, 1);
}

static inline struct span str_span(const struct str *s)
{
	return (struct span){ s->p, s->n };
}

#endif
