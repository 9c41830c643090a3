/* REFERENCES of RFC 5256 section 3, without its cuts: first every message goes under the last id it names, then the
 * ids before are linked where they have no parent yet. So a parent is never taken back, and what would make a circle
 * is found by the sets of what hangs together. A message without references loses the parent that those before it
 * guessed, as in the RFC. */
#include "imapd/thread.h"

#include "base/mem.h"
#include "imapd/intern.h"

struct container {
	uint32_t parent;
	uint32_t set;                   /* of union-find: another member, or itself */
	uint32_t msg;                   /* THREAD_NONE: only named by others */
};

struct thread_references {
	struct arena *a;
	struct intern ids;
	const struct thread_msg *msgs;
	uint32_t *own;                  /* container of each message */
	size_t n;
	struct container *v;
	size_t n_v, cap_v;
	uint32_t *refs;                 /* containers that messages name, one message behind the other */
	size_t n_refs, cap_refs;
	size_t *refs_end;               /* for each message */
	uint32_t *of_id;                /* container of each id */
	size_t n_ids, cap_ids;
};

struct thread_references *thread_references_begin(struct arena *a, const struct thread_msg *msgs, size_t n_max)
{
	struct thread_references *t = arena_new(a, struct thread_references);

	t->a = a;
	t->msgs = msgs;
	t->own = arena_alloc(a, (n_max + 1) * sizeof(*t->own));
	t->refs_end = arena_alloc(a, (n_max + 1) * sizeof(*t->refs_end));
	intern_init(&t->ids, n_max);
	return t;
}

static uint32_t add_container(struct thread_references *t)
{
	if (t->n_v == t->cap_v) {
		t->cap_v = t->cap_v ? t->cap_v * 2 : 1024;
		t->v = xrealloc(t->v, t->cap_v * sizeof(*t->v));
	}
	t->v[t->n_v] = (struct container){ THREAD_NONE, (uint32_t)t->n_v, THREAD_NONE };
	return (uint32_t)t->n_v++;
}

static uint32_t container_of(struct thread_references *t, struct span id)
{
	uint32_t k = intern(&t->ids, id);

	if (k == t->n_ids) {
		if (t->n_ids == t->cap_ids) {
			t->cap_ids = t->cap_ids ? t->cap_ids * 2 : 1024;
			t->of_id = xrealloc(t->of_id, t->cap_ids * sizeof(*t->of_id));
		}
		t->of_id[t->n_ids++] = add_container(t);
	}
	return t->of_id[k];
}

static void add_ref(struct thread_references *t, uint32_t c)
{
	if (t->n_refs == t->cap_refs) {
		t->cap_refs = t->cap_refs ? t->cap_refs * 2 : 1024;
		t->refs = xrealloc(t->refs, t->cap_refs * sizeof(*t->refs));
	}
	t->refs[t->n_refs++] = c;
}

void thread_references_add(struct thread_references *t, struct span id, struct span references)
{
	uint32_t c = THREAD_NONE, i = (uint32_t)t->n++;
	struct span one;

	if (id.n)
		c = container_of(t, id);
	/* the second with the same id stands for itself */
	if (c == THREAD_NONE || t->v[c].msg != THREAD_NONE)
		c = add_container(t);
	t->v[c].msg = i;
	t->own[i] = c;
	while (references.n) {
		(void)span_cut(references, '\0', &one, &references);
		if (one.n)
			add_ref(t, container_of(t, one));
	}
	t->refs_end[i] = t->n_refs;
}

static uint32_t find(struct thread_references *t, uint32_t c)
{
	while (t->v[c].set != c) {
		t->v[c].set = t->v[t->v[c].set].set;
		c = t->v[c].set;
	}
	return c;
}

/* child has no parent: it is the top of its tree, so parent is below it exactly when both are in one set. */
static void link_parent(struct thread_references *t, uint32_t child, uint32_t parent)
{
	uint32_t a = find(t, child), b = find(t, parent);

	if (a == b)
		return;
	t->v[a].set = b;
	t->v[child].parent = parent;
}

/* Step 1. */
static void link_all(struct thread_references *t)
{
	size_t i, k, start;

	for (i = 0; i < t->n; i++) {
		start = i ? t->refs_end[i - 1] : 0;
		if (t->refs_end[i] > start)
			link_parent(t, t->own[i], t->refs[t->refs_end[i] - 1]);
	}
	for (i = 0; i < t->n; i++) {
		for (k = i ? t->refs_end[i - 1] : 0; k + 1 < t->refs_end[i]; k++) {
			const struct container *c = &t->v[t->refs[k + 1]];
			uint32_t m = c->msg;
			bool will_be_cut = m != THREAD_NONE && m > i && t->refs_end[m] == (m ? t->refs_end[m - 1] : 0);

			if (c->parent == THREAD_NONE && !will_be_cut)
				link_parent(t, t->refs[k + 1], t->refs[k]);
		}
	}
}

/* The nearest container above that has a message, else the uppermost; ways are made short. */
static uint32_t holder(struct thread_references *t, uint32_t c)
{
	uint32_t top = t->v[c].parent, next;

	if (top == THREAD_NONE)
		return top;
	while (t->v[top].msg == THREAD_NONE && t->v[top].parent != THREAD_NONE)
		top = t->v[top].parent;
	for (c = t->v[c].parent; c != top; c = next) {
		next = t->v[c].parent;
		t->v[c].parent = top;
	}
	return top;
}

/* Steps 2 and 3: dummies stay only under the root, and there only with two children at least. */
static void build(struct thread_references *t, struct thread_forest *f)
{
	uint32_t *n_held = xcalloc(t->n_v + 1, sizeof(*n_held)), *held_by = xrealloc(NULL, (t->n + 1) * sizeof(*held_by));
	uint32_t *node = xrealloc(NULL, (t->n_v + 1) * sizeof(*node));
	size_t i;

	for (i = 0; i < t->n; i++) {
		held_by[i] = holder(t, t->own[i]);
		if (held_by[i] != THREAD_NONE)
			n_held[held_by[i]]++;
		node[t->own[i]] = thread_forest_add(f, (uint32_t)i);
	}
	for (i = 0; i < t->n_v; i++) {
		if (t->v[i].msg == THREAD_NONE && n_held[i] > 1) {
			node[i] = thread_forest_add(f, THREAD_NONE);
			thread_forest_hang(f, 0, node[i]);
		}
	}
	/* from behind: each goes to the front */
	for (i = t->n; i--;) {
		uint32_t h = held_by[i];
		bool is_top = h == THREAD_NONE || (t->v[h].msg == THREAD_NONE && n_held[h] < 2);

		thread_forest_hang(f, is_top ? 0 : node[h], node[t->own[i]]);
	}
	free(n_held);
	free(held_by);
	free(node);
}

int thread_references_end(struct thread_references *t, struct str *out)
{
	struct thread_forest f;
	size_t i;

	link_all(t);
	/* a dummy holds two messages at least, and joining makes one for two threads */
	thread_forest_init(&f, t->a, t->msgs, t->n * 2 + 1);
	build(t, &f);
	for (i = t->n + 1; i < f.n; i++)
		thread_forest_sort(&f, (uint32_t)i);
	thread_forest_sort(&f, 0);
	thread_subject_join(&f);
	thread_forest_sort_all(&f);
	intern_fini(&t->ids);
	free(t->v);
	free(t->refs);
	free(t->of_id);
	return thread_forest_print(out, &f);
}
