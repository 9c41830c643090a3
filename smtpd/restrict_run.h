/* restrict_run.h: runs the restriction programs of a session; a check may wait for resolve and the run then goes on */
#ifndef SMTPD_RESTRICT_RUN_H
#define SMTPD_RESTRICT_RUN_H

#include <stdbool.h>

#include "base/arena.h"
#include "proto/access.h"
#include "proto/restrict.h"

struct session;
struct txn_try;

/* What a single check says. */
enum restrict_rc { RESTRICT_RC_DUNNO, RESTRICT_RC_PERMIT, RESTRICT_RC_REJECT, RESTRICT_RC_WAIT };

/* What a refusal is about: decides its words. */
enum restrict_about { RESTRICT_ABOUT_CLIENT, RESTRICT_ABOUT_HELO, RESTRICT_ABOUT_SENDER, RESTRICT_ABOUT_RCPT,
		      RESTRICT_ABOUT_DATA, RESTRICT_ABOUT_END };

/* reply NULL: accepted; else "554 5.7.1 ..." for session_reject, valid during the call. */
typedef void restrict_done_fn(struct session *s, const char *reply);

#define RESTRICT_STACK 4

/* Heap object of the session while it runs. */
struct restrict_run {
	struct session *s;
	struct arena arena;
	unsigned lists;                 /* bits of enum restrict_list still to run */
	enum restrict_list list, stage_list;    /* under way; first of all */
	struct { const struct restrict_prog *prog; size_t pc; bool warns; } stack[RESTRICT_STACK];
	size_t depth;
	bool warns;                     /* op, or what it stands in, is behind warn_if_reject */
	bool tail_done, did_unlisted_rcpt, did_unlisted_sender;
	const struct restrict_op *op;
	const struct txn_try *rcpt;     /* NULL before RCPT, and after it with more than one */
	const char *reply;              /* of the check that refused */
	const char *defer_if_permit, *defer_if_reject;  /* the first reason for each */
	restrict_done_fn *done;
	/* a lookup under way */
	const char *map;
	size_t map_at, stage;
	bool found;
	struct span value;
	enum restrict_rc (*then)(struct restrict_run *r);
};

/* Runs the lists (bits of enum restrict_list) and calls done, now or when the last answer has come; then the session
 * is pending. rcpt: of RCPT and VRFY, or the only one of a message; it must outlive the run. Source: restrict_run.c */
void restrict_run_start(struct session *s, unsigned lists, const struct txn_try *rcpt, restrict_done_fn *done);

/* Drops a run that waits. Takes NULL; sets *r NULL. Source: restrict_run.c */
void restrict_run_free(struct restrict_run **r);

/* ---- for restrict_check.c and restrict_access.c ---- */

/* Sets r->reply to "CODE DSN <what>: ... rejected: text"; returns RESTRICT_RC_REJECT. Source: restrict_run.c */
enum restrict_rc restrict_run_refuse(struct restrict_run *r, uint64_t code, const char *dsn, enum restrict_about about,
	const char *fmt, ...) PRINTF(5, 6);

/* Takes r->reply for a DEFER_IF_PERMIT (else DEFER_IF_REJECT) that comes to nothing unless the lists end so.
 * Source: restrict_run.c */
enum restrict_rc restrict_run_defer_if(struct restrict_run *r, bool permit);

/* "<a@b>: Recipient address" and what the current list is about. Source: restrict_run.c */
const char *restrict_run_subject(struct restrict_run *r, enum restrict_about about);
enum restrict_about restrict_run_about(const struct restrict_run *r);

/* 451 4.3.0: the answer that was needed is not to be had. Source: restrict_run.c */
enum restrict_rc restrict_run_temporary(struct restrict_run *r);

/* Asks resolve for the first of keys in a table; then(r) goes on with r->found and r->value. Source: restrict_run.c */
enum restrict_rc restrict_run_lookup(struct restrict_run *r, const char *map, const struct access_keys *keys,
	enum restrict_rc (*then)(struct restrict_run *r));

/* Goes on after a WAIT: rc is what the check found at last. Source: restrict_run.c */
void restrict_run_resume(struct restrict_run *r, enum restrict_rc rc);

/* Runs prog (in r's arena) before the rest of the current one, all of it behind warn_if_reject when it warns; -1 when
 * nested too deep. Source: restrict_run.c */
int restrict_run_push(struct restrict_run *r, const struct restrict_prog *prog, bool warns);

/* One check. Source: restrict_check.c */
enum restrict_rc restrict_check_op(struct restrict_run *r, const struct restrict_op *op);

/* check_*_access and sender login checks. Source: restrict_access.c */
enum restrict_rc restrict_access_op(struct restrict_run *r, const struct restrict_op *op);
enum restrict_rc restrict_access_login(struct restrict_run *r, enum restrict_code code);

#endif
