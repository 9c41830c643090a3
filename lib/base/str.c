#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char str_empty[1];

void str_init(struct str *s, size_t max)
{
	*s = (struct str)STR_INIT(max);
}

void str_fini(struct str *s)
{
	if (s->cap)
		free(s->p);
	str_init(s, s->max);
}

void str_reset(struct str *s)
{
	s->n = 0;
	if (s->cap)
		s->p[0] = '\0';
	else
		s->p = str_empty;
}

void str_cut(struct str *s, size_t n)
{
	BUG(n > s->n);
	s->n = n;
	if (s->cap)
		s->p[n] = '\0';
}

char *str_room(struct str *s, size_t n)
{
	size_t cap;

	if (n > s->max || s->n > s->max - n)
		return NULL;
	if (s->n + n + 1 > s->cap) {
		cap = s->cap ? s->cap : 64;
		while (cap < s->n + n + 1)
			cap *= 2;
		s->p = xrealloc(s->cap ? s->p : NULL, cap);
		s->cap = cap;
		s->p[s->n] = '\0';
	}
	return s->p + s->n;
}

void str_grew(struct str *s, size_t n)
{
	BUG(s->n + n + 1 > s->cap);
	s->n += n;
	s->p[s->n] = '\0';
}

int str_add_slow(struct str *s, const void *p, size_t n)
{
	char *to = str_room(s, n);

	if (!to)
		return -1;
	if (n)
		memcpy(to, p, n);
	str_grew(s, n);
	return 0;
}

int str_addz(struct str *s, const char *z)
{
	return str_add(s, z, strlen(z));
}

int str_add_span(struct str *s, struct span v)
{
	return str_add(s, v.p, v.n);
}

int str_add_u64(struct str *s, uint64_t n)
{
	char digits[20], *end = digits + sizeof(digits), *p = end;

	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return str_add(s, p, (size_t)(end - p));
}

int str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	BUG(n < 0);
	to = str_room(s, (size_t)n);
	if (to) {
		vsnprintf(to, (size_t)n + 1, fmt, again);
		str_grew(s, (size_t)n);
	}
	va_end(again);
	return to ? 0 : -1;
}

void str_drop(struct str *s, size_t n)
{
	BUG(n > s->n);
	if (n == 0)
		return;
	memmove(s->p, s->p + n, s->n - n + 1);
	s->n -= n;
}

char *str_detach(struct str *s)
{
	char *p = s->cap ? s->p : xstrdup("");

	str_init(s, s->max);
	return p;
}
