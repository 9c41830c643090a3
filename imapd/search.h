/* search.h: evaluates the keys of SEARCH, SORT and THREAD, the cheapest first
 *
 *   VIEW (flags, sets) -> FACTS (dates, sizes) -> KEYS (subject, addresses, zone of the Date) -> FILE
 *
 * After each stage a message is in, out, or not decided; only those go on to the next.
 */
#ifndef IMAPD_SEARCH_H
#define IMAPD_SEARCH_H

#include <stdbool.h>

#include "imapd/search_file.h"
#include "proto/imap_search_expr.h"
#include "store/mailbox.h"

struct session;
struct command;

enum search_stage { SEARCH_VIEW, SEARCH_FACTS, SEARCH_KEYS, SEARCH_FILE };
enum search_verdict { SEARCH_OUT = 0, SEARCH_IN = 1, SEARCH_OPEN = 2 };

/* A message as far as it is known; what is not is NULL. */
struct search_msg {
	uint32_t seq;
	const struct mailbox_msg *v;
	const struct index_msg *facts;          /* sent_s as the record has it, when INDEX_HAS_RECORD */
	const struct mail_keys *keys;
	bool has_file;                          /* the leaves tell */
};

enum search_key { SEARCH_KEY_NONE, SEARCH_KEY_SUBJECT, SEARCH_KEY_FROM, SEARCH_KEY_TO, SEARCH_KEY_CC, SEARCH_KEY_BCC };

/* A node of the expression, made ready. */
struct search_node {
	enum imap_search_op op;
	bool is_not;
	enum search_stage stage;                /* at which it can be decided at last */
	uint32_t flags;
	bool wants_recent;
	int64_t from_s, to_s;                   /* of a day */
	int32_t day;
	uint64_t number;
	struct imap_seqset set, saved;
	enum search_key key;
	struct search_leaf *leaf;
	struct search_node *child, *next;
};

struct search_plan {
	struct search_node *root;
	unsigned stages;                        /* 1 << stage of all nodes */
	bool needs_parts;                       /* BODY or TEXT is among the leaves */
	bool needs_sizes, needs_dates, has_sent;        /* LARGER, SMALLER; ON and its like; SENTON and its like */
	struct search_leaf *leaves;
	size_t n_leaves;
};

/* What an expression refers to. */
struct search_context {
	uint32_t n, uid_max;                    /* messages; greatest UID */
	const struct imap_seqset *saved;        /* "$", UIDs */
	const struct keywords *keywords;
	int64_t now_s;
};

/* Memory of a. -1 ERR_PROTO. Source: search_plan.c */
int search_plan_make(struct search_plan *p_r, struct arena *a, const struct imap_search_node *root,
		     const struct search_context *cx, struct err *err) WARN_UNUSED;

/* With what is known of m. Source: search_eval.c */
enum search_verdict search_eval(const struct search_node *node, const struct search_msg *m);

/* The messages of the selected folder that fit, as ascending indexes in box->v, in s->tick. Blocks. -1. Source:
 * search_run.c */
int search_run(struct session *s, const struct imap_search *req, uint32_t **hits_r, size_t *n_r, struct err *err) WARN_UNUSED;

/* Parses the arguments of verb; has answered when it gives false (*rc_r). Source: search_answer.c */
bool search_answer_parse(struct session *s, struct command *c, enum imap_search_command verb, struct imap_search *req_r,
			 int *rc_r);

/* "* SEARCH ...", "* SORT ..." or "* ESEARCH ...", then the tagged answer; hits in the order of the result. Also
 * does SAVE. Source: search_answer.c */
int search_answer(struct session *s, struct command *c, const struct imap_search *req, enum imap_search_command verb,
		  const uint32_t *hits, size_t n);

#endif
