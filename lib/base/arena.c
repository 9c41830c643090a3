#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ALIGN 16u
#define CHUNK_DEFAULT 4096u

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t fill;
	_Alignas(ALIGN) unsigned char mem[];
};

struct arena_hook {
	struct arena_hook *next;
	void (*fn)(void *);
	void *arg;
};

void arena_init(struct arena *a, size_t chunk)
{
	*a = (struct arena){ .chunk = chunk };
}

static void add_block(struct arena *a, size_t n)
{
	size_t chunk = a->chunk ? a->chunk : CHUNK_DEFAULT;
	size_t size = n > chunk ? n : chunk;
	struct arena_block *b = xrealloc(NULL, sizeof(*b) + size);

	b->next = a->head;
	b->size = size;
	b->fill = 0;
	a->head = b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b;
	void *p;

	BUG(n > SIZE_MAX / 2);
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!a->head || a->head->size - a->head->fill < n)
		add_block(a, n);
	b = a->head;
	p = b->mem + b->fill;
	b->fill += n;
	a->used += n;
	memset(p, 0, n);
	return p;
}

char *arena_strndup(struct arena *a, const char *p, size_t n)
{
	char *z = arena_alloc(a, n + 1);

	if (n)
		memcpy(z, p, n);
	return z;
}

char *arena_strdup(struct arena *a, const char *z)
{
	return arena_strndup(a, z, strlen(z));
}

struct span arena_span(struct arena *a, struct span s)
{
	return (struct span){ arena_strndup(a, s.p, s.n), s.n };
}

struct span arena_line(struct arena *a, struct span s, char instead)
{
	char *p = arena_strndup(a, s.p, s.n);
	size_t i;

	for (i = 0; i < s.n; i++) {
		if ((unsigned char)p[i] < ' ' || p[i] == 127)
			p[i] = instead;
	}
	return (struct span){ p, s.n };
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *z;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	BUG(n < 0);
	z = arena_alloc(a, (size_t)n + 1);
	vsnprintf(z, (size_t)n + 1, fmt, again);
	va_end(again);
	return z;
}

void arena_on_free(struct arena *a, void (*fn)(void *), void *arg)
{
	struct arena_hook *h = arena_new(a, struct arena_hook);

	h->fn = fn;
	h->arg = arg;
	h->next = a->hooks;
	a->hooks = h;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->head, a->head ? a->head->fill : 0, a->used };
}

void arena_rewind(struct arena *a, struct arena_mark m)
{
	while (a->head != m.head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	if (a->head)
		a->head->fill = m.fill;
	a->used = m.used;
}

static void run_hooks(struct arena *a)
{
	while (a->hooks) {
		struct arena_hook *h = a->hooks;

		a->hooks = h->next;
		h->fn(h->arg);
	}
}

void arena_reset(struct arena *a)
{
	size_t chunk = a->chunk ? a->chunk : CHUNK_DEFAULT;

	run_hooks(a);
	while (a->head && (a->head->next || a->head->size > chunk)) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	if (a->head)
		a->head->fill = 0;
	a->used = 0;
}

void arena_fini(struct arena *a)
{
	run_hooks(a);
	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	a->used = 0;
}
