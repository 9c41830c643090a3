#include "imapd/thread.h"

#include "base/mem.h"
#include "imapd/intern.h"
#include "imapd/sort_order.h"

/* The children of the root while they are joined; THREAD_NONE where one went under another. */
struct tops {
	struct thread_forest *f;
	uint32_t *node;
	uint32_t *subject;              /* number of each one's subject, THREAD_NONE for an empty one */
	size_t n;
	uint32_t *first;                /* the subject table: for each subject a place in node */
};

static bool is_dummy(const struct tops *t, uint32_t node)
{
	return t->f->nodes[node].msg == THREAD_NONE;
}

static bool is_reply(const struct tops *t, uint32_t node)
{
	return !is_dummy(t, node) && t->f->msgs[t->f->nodes[node].msg].is_reply;
}

/* Step 5B: which of those with one subject the others go to: a dummy, else one that is no reply. */
static void fill_table(struct tops *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		uint32_t *first, have;

		if (t->subject[i] == THREAD_NONE)
			continue;
		first = &t->first[t->subject[i]];
		if (*first == THREAD_NONE) {
			*first = (uint32_t)i;
			continue;
		}
		have = t->node[*first];
		if (!is_dummy(t, have) && (is_dummy(t, t->node[i]) || (is_reply(t, have) && !is_reply(t, t->node[i]))))
			*first = (uint32_t)i;
	}
}

static void move_children(struct thread_forest *f, uint32_t from, uint32_t to)
{
	while (f->nodes[from].child != THREAD_NONE) {
		uint32_t c = f->nodes[from].child;

		f->nodes[from].child = f->nodes[c].next;
		thread_forest_hang(f, to, c);
	}
}

/* Step 5C: one top and the one that its subject's table names. */
static void join(struct tops *t, size_t i, size_t first)
{
	uint32_t cur = t->node[i], have = t->node[first];

	if (is_dummy(t, have)) {
		if (is_dummy(t, cur))
			move_children(t->f, cur, have);
		else
			thread_forest_hang(t->f, have, cur);
	} else if (is_reply(t, cur) && !is_reply(t, have))
		thread_forest_hang(t->f, have, cur);
	else {
		uint32_t dummy = thread_forest_add(t->f, THREAD_NONE);

		thread_forest_hang(t->f, dummy, cur);
		thread_forest_hang(t->f, dummy, have);
		t->node[first] = dummy;
	}
	t->node[i] = THREAD_NONE;
}

void thread_subject_join(struct thread_forest *f)
{
	struct tops t = { .f = f };
	struct intern subjects;
	uint32_t c;
	size_t i;

	for (c = f->nodes[0].child; c != THREAD_NONE; c = f->nodes[c].next)
		t.n++;
	t.node = xrealloc(NULL, (t.n + 1) * 3 * sizeof(*t.node));
	t.subject = t.node + t.n + 1;
	t.first = t.subject + t.n + 1;
	intern_init(&subjects, t.n);
	for (i = 0, c = f->nodes[0].child; c != THREAD_NONE; c = f->nodes[c].next, i++) {
		struct span s = f->msgs[thread_forest_msg(f, c)].base_subject;

		t.node[i] = c;
		t.subject[i] = s.n ? intern(&subjects, s) : THREAD_NONE;
		t.first[i] = THREAD_NONE;
	}
	intern_fini(&subjects);
	fill_table(&t);
	for (i = 0; i < t.n; i++) {
		if (t.subject[i] != THREAD_NONE && t.first[t.subject[i]] != i)
			join(&t, i, t.first[t.subject[i]]);
	}
	f->nodes[0].child = THREAD_NONE;
	for (i = t.n; i--;) {
		if (t.node[i] != THREAD_NONE)
			thread_forest_hang(f, 0, t.node[i]);
	}
	free(t.node);
}

static int print_flat(struct str *out, const struct thread_msg *msgs, const uint32_t *order, size_t n)
{
	size_t i;

	if (str_addc(out, '(') < 0 || str_add_u64(out, msgs[order[0]].number) < 0)
		return -1;
	if (n > 1 && str_addc(out, ' ') < 0)
		return -1;
	for (i = 1; i < n; i++) {
		if ((n > 2 && str_addc(out, '(') < 0) || str_add_u64(out, msgs[order[i]].number) < 0 ||
		    (n > 2 && str_addc(out, ')') < 0))
			return -1;
	}
	return str_addc(out, ')');
}

int thread_subject_ordered(struct str *out, struct arena *a, const struct thread_msg *msgs, size_t n)
{
	struct span *texts = arena_alloc(a, (n + 1) * sizeof(*texts));
	int64_t *dates = arena_alloc(a, (n + 1) * sizeof(*dates));
	uint32_t *order = arena_alloc(a, (n + 1) * sizeof(*order));
	struct sort_entry *threads = arena_alloc(a, (n + 1) * 2 * sizeof(*threads));
	struct sort_column cols[] = { { .texts = texts }, { .numbers = dates } };
	size_t i, n_threads = 0;

	for (i = 0; i < n; i++) {
		texts[i] = msgs[i].base_subject;
		dates[i] = msgs[i].sent_s;
	}
	sort_order(order, n, cols, 2);
	for (i = 0; i < n; i++) {
		if (i == 0 || !span_eq(texts[order[i]], texts[order[i - 1]]))
			threads[n_threads++] = (struct sort_entry){ order[i], (uint32_t)i };
	}
	/* by date, then by number */
	sort_order_entries(threads, threads + n_threads, n_threads);
	for (i = 0; i < n_threads; i++)
		threads[i].key = sort_order_key(dates[order[threads[i].i]]);
	sort_order_entries(threads, threads + n_threads, n_threads);
	for (i = 0; i < n_threads; i++) {
		size_t from = threads[i].i, to = from + 1;

		while (to < n && span_eq(texts[order[to]], texts[order[from]]))
			to++;
		if (print_flat(out, msgs, order + from, to - from) < 0)
			return -1;
	}
	return 0;
}
