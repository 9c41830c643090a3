/* thread.h: THREAD: messages into trees (RFC 5256 section 3); no recursion, whatever the messages say */
#ifndef IMAPD_THREAD_H
#define IMAPD_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "base/str.h"

#define THREAD_NONE UINT32_MAX

/* A message: what is compared, and the number that is told. */
struct thread_msg {
	uint32_t number;
	bool is_reply;
	int64_t sent_s;
	struct span base_subject;
};

/* Trees: node 0 is their root. Indexes of nodes, THREAD_NONE for none. */
struct thread_node {
	uint32_t msg;                   /* THREAD_NONE: a dummy, that only holds others together */
	uint32_t child, next;
};

struct thread_forest {
	const struct thread_msg *msgs;
	struct thread_node *nodes;
	size_t n, cap;
	struct arena *a;
};

/* ---- thread_forest.c ---- */

/* Room for cap nodes; node 0 is there. Memory of a. Source: thread_forest.c */
void thread_forest_init(struct thread_forest *f, struct arena *a, const struct thread_msg *msgs, size_t cap);

/* A node of msg (or THREAD_NONE) that hangs nowhere. Source: thread_forest.c */
uint32_t thread_forest_add(struct thread_forest *f, uint32_t msg);

/* Makes node the first child of parent. Source: thread_forest.c */
void thread_forest_hang(struct thread_forest *f, uint32_t parent, uint32_t node);

/* The message that stands for a node: its own, a dummy's first child's. Source: thread_forest.c */
uint32_t thread_forest_msg(const struct thread_forest *f, uint32_t node);

/* Sorts the children of node, or of all nodes below the root and then the root's, by sent date, then by number.
 * Source: thread_forest.c */
void thread_forest_sort(struct thread_forest *f, uint32_t node);
void thread_forest_sort_all(struct thread_forest *f);

/* Appends "(1 2 (3)(4))(5)". -1 at out's limit. Source: thread_forest.c */
int thread_forest_print(struct str *out, const struct thread_forest *f) WARN_UNUSED;

/* ---- thread_subject.c ---- */

/* Steps 5A to 5C of REFERENCES: joins threads under the root that have the same subject; the root's children are
 * sorted. Source: thread_subject.c */
void thread_subject_join(struct thread_forest *f);

/* ORDEREDSUBJECT: n messages by subject, flat. -1 at out's limit. Source: thread_subject.c */
int thread_subject_ordered(struct str *out, struct arena *a, const struct thread_msg *msgs, size_t n) WARN_UNUSED;

/* ---- thread_references.c ---- */

struct thread_references;

/* For at most n_max messages, the caller's, which are filled and then added one by one in their order. references:
 * ids with NUL between; ids need not stay. Memory of a, and heap that end gives back. Source: thread_references.c */
struct thread_references *thread_references_begin(struct arena *a, const struct thread_msg *msgs, size_t n_max);
void thread_references_add(struct thread_references *t, struct span id, struct span references);

/* Appends the threads; -1 at out's limit. Ends t. Source: thread_references.c */
int thread_references_end(struct thread_references *t, struct str *out) WARN_UNUSED;

#endif
