/* mime_tree.h: the tree of a message in memory, and its parts by number, for tests */
#ifndef TEST_MIME_TREE_H
#define TEST_MIME_TREE_H

#include "proto/mime.h"

static inline struct mime_part *mime_parse(struct arena *a, struct span text, const struct mime_limits *lim)
{
	struct err err = ERR_INIT;
	struct mime m;

	mime_init(&m, a, lim);
	BUG(mime_feed(&m, text, &err) < 0 || mime_end(&m, &err) < 0);
	return m.root;
}

/* The part that IMAP calls "1.2" under from (RFC 3501 section 6.4.5), a message's own parts under its number; n
 * numbers. NULL when there is none. */
static inline const struct mime_part *mime_find(const struct mime_part *from, const unsigned *path, size_t n)
{
	const struct mime_part *p = from;
	size_t i;

	for (i = 0; i < n && p; i++) {
		/* a message's parts are those of its body; a body without parts is part 1 */
		if (p->kind == MIME_MESSAGE)
			p = p->child;
		if (p->kind != MIME_MULTIPART) {
			if (path[i] != 1 || (i > 0 && p->parent && p->parent->kind != MIME_MESSAGE))
				return NULL;
			continue;
		}
		for (p = p->child; p && p->number != path[i]; p = p->next)
			;
	}
	return p;
}

#endif
