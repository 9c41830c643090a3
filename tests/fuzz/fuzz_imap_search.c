/* Arguments of SEARCH, SORT and THREAD; the first byte says which. */
#include <stdint.h>

#include "base/attr.h"
#include "base/utf8.h"
#include "proto/imap_search_expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DEPTH_MAX 20
#define NODES_MAX 100

static size_t walk(const struct imap_search_node *n, unsigned depth)
{
	size_t count = 0;

	BUG(depth > DEPTH_MAX + 2);
	for (; n; n = n->next) {
		BUG(n->op == IMAP_SEARCH_OR && (!n->child || !n->child->next));
		BUG(n->op > IMAP_SEARCH_OR && n->child);
		BUG(!utf8_valid(n->text));
		count += 1 + walk(n->child, depth + 1);
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct imap_search_limits limits = { DEPTH_MAX, NODES_MAX };
	struct arena arena = { 0 };
	struct err err = ERR_INIT;
	struct imap_search s;
	struct imap_parse p;

	if (n < 1)
		return 0;
	imap_parse_init(&p, &arena, (struct span){ (const char *)data + 1, n - 1 });
	if (imap_search_parse(&p, (enum imap_search_command)(data[0] % 3), &limits, &s, &err) == 0) {
		BUG(s.root->op != IMAP_SEARCH_AND || s.root->next || !s.root->child);
		BUG(walk(s.root, 0) > NODES_MAX);
		BUG(s.has_return != (s.returns != 0));
	} else {
		BUG(err.kind != ERR_PROTO || !err.msg[0]);
	}
	arena_fini(&arena);
	return 0;
}
