#include "smtpd/restrict_run.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "svc/msg_resolve.h"

/* After the lists: what smtpd_reject_unlisted_recipient and _sender ask for where no restriction did. */
static const struct restrict_op tail_ops[] = {
	{ RESTRICT_UNLISTED_RECIPIENT, false, "smtpd_reject_unlisted_recipient", NULL, 0 },
	{ RESTRICT_UNLISTED_SENDER, false, "smtpd_reject_unlisted_sender", NULL, 0 },
};
static const struct restrict_prog tail = { tail_ops, ARRAY_LEN(tail_ops) };

void restrict_run_free(struct restrict_run **run)
{
	struct restrict_run *r = *run;

	*run = NULL;
	if (!r)
		return;
	arena_fini(&r->arena);
	free(r);
}

enum restrict_about restrict_run_about(const struct restrict_run *r)
{
	switch (r->list) {
	case RESTRICT_CLIENT:
		return RESTRICT_ABOUT_CLIENT;
	case RESTRICT_HELO:
		return RESTRICT_ABOUT_HELO;
	case RESTRICT_SENDER:
		return RESTRICT_ABOUT_SENDER;
	case RESTRICT_DATA:
		return RESTRICT_ABOUT_DATA;
	case RESTRICT_END_OF_DATA:
		return RESTRICT_ABOUT_END;
	default:
		return RESTRICT_ABOUT_RCPT;
	}
}

const char *restrict_run_subject(struct restrict_run *r, enum restrict_about about)
{
	struct session *s = r->s;
	struct arena *a = &r->arena;

	switch (about) {
	case RESTRICT_ABOUT_CLIENT:
		return arena_printf(a, "<%s>: Client host", s->namaddr);
	case RESTRICT_ABOUT_HELO:
		return arena_printf(a, "<%s>: Helo command", s->helo ? s->helo : "");
	case RESTRICT_ABOUT_SENDER:
		return arena_printf(a, "<%.*s>: Sender address", SPAN_ARG(s->txn ? s->txn->sender : SPAN_NULL));
	case RESTRICT_ABOUT_RCPT:
		return arena_printf(a, "<%s>: Recipient address", r->rcpt ? r->rcpt->address : "");
	case RESTRICT_ABOUT_DATA:
		return "<DATA>: Data command";
	case RESTRICT_ABOUT_END:
		break;
	}
	return "<END-OF-MESSAGE>: End-of-data";
}

enum restrict_rc restrict_run_refuse(struct restrict_run *r, uint64_t code, const char *dsn, enum restrict_about about,
	const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* the class of the status follows that of the code: an administrator may have made a 5xx a 4xx */
	r->reply = arena_printf(&r->arena, "%u %c%s %s rejected: %s", (unsigned)code, code < 500 ? '4' : '5', dsn + 1,
				restrict_run_subject(r, about), text);
	return RESTRICT_RC_REJECT;
}

enum restrict_rc restrict_run_temporary(struct restrict_run *r)
{
	r->reply = arena_printf(&r->arena, "451 4.3.0 %s rejected: Temporary lookup failure",
				restrict_run_subject(r, restrict_run_about(r)));
	return RESTRICT_RC_REJECT;
}

enum restrict_rc restrict_run_defer_if(struct restrict_run *r, bool permit)
{
	const char **keep = permit ? &r->defer_if_permit : &r->defer_if_reject;

	if (r->warns)
		return RESTRICT_RC_REJECT;      /* which is logged, and no more */
	if (!*keep)
		*keep = r->reply;
	return RESTRICT_RC_DUNNO;
}

int restrict_run_push(struct restrict_run *r, const struct restrict_prog *prog, bool warns)
{
	if (r->depth == RESTRICT_STACK)
		return -1;
	r->stack[r->depth].prog = prog;
	r->stack[r->depth].warns = warns;
	r->stack[r->depth++].pc = 0;
	return 0;
}

/* The next operation, or NULL at the end of all. */
static const struct restrict_op *next_op(struct restrict_run *r)
{
	const struct restrict_op *op;

	for (;;) {
		while (r->depth) {
			size_t top = r->depth - 1;

			if (r->stack[top].pc < r->stack[top].prog->n) {
				op = &r->stack[top].prog->ops[r->stack[top].pc++];
				r->warns = op->warn || r->stack[top].warns;
				return op;
			}
			r->depth--;
		}
		if (r->lists) {
			r->list = (enum restrict_list)__builtin_ctz(r->lists);
			r->lists &= r->lists - 1;
			(void)!restrict_run_push(r, &r->s->svc->lists[r->list], false);
		} else if (r->rcpt && !r->tail_done) {
			r->tail_done = true;
			(void)!restrict_run_push(r, &tail, false);
		} else {
			return NULL;
		}
	}
}

static void finish(struct restrict_run *r, const char *reply)
{
	struct session *s = r->s;

	s->run = NULL;
	r->done(s, reply);
	restrict_run_free(&r);
}

/* False when the run is over. */
static bool take(struct restrict_run *r, enum restrict_rc rc)
{
	if (rc == RESTRICT_RC_PERMIT && r->s->txn && r->s->txn->discard) {
		finish(r, NULL);        /* what is thrown away needs no more leave */
		return false;
	}
	if (rc == RESTRICT_RC_PERMIT) {
		r->depth = 0;           /* the rest of this list is not asked */
	} else if (rc == RESTRICT_RC_REJECT) {
		if (r->warns) {
			session_log(r->s, "reject_warning", r->rcpt ? r->rcpt->address : NULL, r->reply);
			return true;
		}
		finish(r, r->defer_if_reject ? r->defer_if_reject : r->reply);
		return false;
	}
	return true;
}

/* Where a stage keeps its DEFER_IF_PERMIT until RCPT, which alone can tell whether mail is let in. NULL: answer now. */
static char **waits_at(struct restrict_run *r)
{
	switch (r->stage_list) {
	case RESTRICT_CLIENT:
		return &r->s->defer_client;
	case RESTRICT_HELO:
		return &r->s->defer_helo;
	case RESTRICT_SENDER:
		return &r->s->txn->defer_sender;
	default:
		return NULL;
	}
}

static void end(struct restrict_run *r)
{
	char **keep = r->rcpt ? NULL : waits_at(r);

	if (keep) {
		free(*keep);
		*keep = r->defer_if_permit ? xstrdup(r->defer_if_permit) : NULL;
	}
	finish(r, keep ? NULL : r->defer_if_permit);
}

/* What the stages before RCPT put off. */
static const char *put_off(const struct session *s)
{
	if (s->defer_client || s->defer_helo)
		return s->defer_client ? s->defer_client : s->defer_helo;
	return s->txn->defer_sender;
}

static void go_on(struct restrict_run *r)
{
	enum restrict_rc rc;

	while ((r->op = next_op(r))) {
		rc = restrict_check_op(r, r->op);
		if (rc == RESTRICT_RC_WAIT || !take(r, rc))
			return;
	}
	end(r);
}

void restrict_run_resume(struct restrict_run *r, enum restrict_rc rc)
{
	if (rc != RESTRICT_RC_WAIT && take(r, rc))
		go_on(r);
}

/* A client may leave out HELO (but for smtpd_helo_required), and VRFY comes without MAIL. */
static unsigned that_apply(const struct session *s, unsigned lists)
{
	lists &= s->helo ? ~0u : ~(1u << RESTRICT_HELO);
	lists &= s->txn && s->txn->sender.p ? ~0u : ~(1u << RESTRICT_SENDER);
	/* the lists are for the network; a program on this machine only hears of recipients that do not exist */
	return s->unix_user ? 0 : lists;
}

void restrict_run_start(struct session *s, unsigned lists, const struct txn_try *rcpt, restrict_done_fn *done)
{
	struct restrict_run *r;

	if (s->txn && s->txn->discard) {
		done(s, NULL);
		return;
	}
	r = xnew(struct restrict_run);
	r->s = s;
	r->lists = that_apply(s, lists);
	r->stage_list = (enum restrict_list)__builtin_ctz(lists);
	r->rcpt = rcpt;
	r->tail_done = r->stage_list >= RESTRICT_DATA;
	r->defer_if_permit = rcpt ? put_off(s) : NULL;
	r->done = done;
	s->run = r;
	go_on(r);
}

static void on_value(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	const struct map_value *v = reply;
	struct session *s = arg;
	struct restrict_run *r = s->run;

	session_resume(s);
	if (rc != IPC_OK || v->status == MSG_TEMP) {
		log_warn("table %s: %.*s", r->map, SPAN_ARG(rc == IPC_OK ? v->text :
							    SPAN_LIT("resolve does not answer")));
		restrict_run_resume(r, restrict_run_temporary(r));
	} else {
		r->found = v->status == MSG_OK;
		r->value = arena_span(&r->arena, v->value);
		restrict_run_resume(r, r->then(r));
	}
	session_run(s);
}

enum restrict_rc restrict_run_lookup(struct restrict_run *r, const char *map, const struct access_keys *keys,
	enum restrict_rc (*then)(struct restrict_run *r))
{
	struct map_key list[ACCESS_KEYS_MAX];
	struct map_query q = { span_z(map), { list, keys->n } };
	size_t i;

	r->map = map;
	r->then = then;
	if (keys->n == 0) {
		r->found = false;
		return then(r);
	}
	for (i = 0; i < keys->n; i++)
		list[i].key = keys->v[i];
	if (session_call(r->s, &r->s->srv->resolve, &map_query_desc, &q, &map_value_desc, on_value) < 0) {
		log_warn("table %s: resolve is not there", map);
		return restrict_run_temporary(r);
	}
	return RESTRICT_RC_WAIT;
}
