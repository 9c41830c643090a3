#include "imapd/thread.h"

#include "base/mem.h"
#include "imapd/sort_order.h"

void thread_forest_init(struct thread_forest *f, struct arena *a, const struct thread_msg *msgs, size_t cap)
{
	*f = (struct thread_forest){ .a = a, .msgs = msgs, .cap = cap + 1 };
	f->nodes = arena_alloc(a, f->cap * sizeof(*f->nodes));
	(void)thread_forest_add(f, THREAD_NONE);
}

uint32_t thread_forest_add(struct thread_forest *f, uint32_t msg)
{
	BUG(f->n == f->cap);
	f->nodes[f->n] = (struct thread_node){ msg, THREAD_NONE, THREAD_NONE };
	return (uint32_t)f->n++;
}

void thread_forest_hang(struct thread_forest *f, uint32_t parent, uint32_t node)
{
	f->nodes[node].next = f->nodes[parent].child;
	f->nodes[parent].child = node;
}

uint32_t thread_forest_msg(const struct thread_forest *f, uint32_t node)
{
	const struct thread_node *n = &f->nodes[node];

	/* dummies hold messages only, never each other */
	return n->msg == THREAD_NONE && n->child != THREAD_NONE ? f->nodes[n->child].msg : n->msg;
}

static void link_sorted(struct thread_forest *f, uint32_t node, const struct sort_entry *v, size_t n)
{
	f->nodes[node].child = THREAD_NONE;
	while (n--)
		thread_forest_hang(f, node, v[n].i);
}

void thread_forest_sort(struct thread_forest *f, uint32_t node)
{
	struct sort_entry few[16], *v = few;
	size_t n = 0, i;
	uint32_t c;
	bool is_sorted = true;

	for (c = f->nodes[node].child; c != THREAD_NONE; c = f->nodes[c].next)
		n++;
	if (n < 2)
		return;
	if (n * 2 > sizeof(few) / sizeof(few[0]))
		v = xrealloc(NULL, n * 2 * sizeof(*v));
	/* messages come in the order of their numbers: the sort is stable, so that is the second key */
	for (i = 0, c = f->nodes[node].child; c != THREAD_NONE; c = f->nodes[c].next, i++) {
		v[i] = (struct sort_entry){ thread_forest_msg(f, c), c };
		is_sorted = is_sorted && (i == 0 || v[i - 1].key < v[i].key);
	}
	if (!is_sorted)
		sort_order_entries(v, v + n, n);
	for (i = 0; i < n; i++)
		v[i].key = sort_order_key(f->msgs[v[i].key].sent_s);
	sort_order_entries(v, v + n, n);
	link_sorted(f, node, v, n);
	if (v != few)
		free(v);
}

void thread_forest_sort_all(struct thread_forest *f)
{
	size_t i;

	for (i = 1; i < f->n; i++)
		thread_forest_sort(f, (uint32_t)i);
	thread_forest_sort(f, 0);
}

/* One thread; stack has room for all nodes: the branches that are being written. */
static int print_thread(struct str *out, const struct thread_forest *f, uint32_t top, uint32_t *stack)
{
	uint32_t at = top;
	size_t depth = 0;

	if (str_addc(out, '(') < 0)
		return -1;
	for (;;) {
		const struct thread_node *n = &f->nodes[at];
		bool is_real = n->msg != THREAD_NONE;

		if (is_real && str_add_u64(out, f->msgs[n->msg].number) < 0)
			return -1;
		if (n->child != THREAD_NONE) {
			bool is_chain = f->nodes[n->child].next == THREAD_NONE;

			if ((is_real && str_addc(out, ' ') < 0) || (!is_chain && str_addc(out, '(') < 0))
				return -1;
			at = n->child;
			if (!is_chain)
				stack[depth++] = at;
			continue;
		}
		if (str_addc(out, ')') < 0)
			return -1;
		for (; depth; depth--) {
			at = stack[depth - 1] = f->nodes[stack[depth - 1]].next;
			if (at != THREAD_NONE)
				break;
			if (str_addc(out, ')') < 0)
				return -1;
		}
		if (!depth)
			return 0;
		if (str_addc(out, '(') < 0)
			return -1;
	}
}

int thread_forest_print(struct str *out, const struct thread_forest *f)
{
	uint32_t *stack = xrealloc(NULL, f->n * sizeof(*stack)), c;
	int rc = 0;

	for (c = f->nodes[0].child; c != THREAD_NONE && rc == 0; c = f->nodes[c].next)
		rc = print_thread(out, f, c, stack);
	free(stack);
	return rc;
}
