#include "smtpd/txn.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "smtpd/content.h"
#include "smtpd/session.h"

struct txn *txn_new(void)
{
	struct txn *t = xnew(struct txn);

	arena_init(&t->arena, 1024);
	str_init(&t->prepend, 65536);
	t->rcpts_tail = &t->rcpts;
	return t;
}

void txn_free(struct txn **txn)
{
	struct txn *t = *txn;

	*txn = NULL;
	if (!t)
		return;
	txn_free(&t->outer);
	content_free(&t->content);
	htab_fini(&t->known);
	str_fini(&t->prepend);
	free(t->defer_sender);
	arena_fini(&t->arena);
	free(t);
}

/* True when it was there already. */
static bool remember(struct txn *t, struct txn_rcpt *r)
{
	struct arena_mark mark = arena_mark(&t->arena);
	char *key = arena_printf(&t->arena, "%.*s\n%u\n%.*s\n%.*s", SPAN_ARG(r->orcpt), r->notify, SPAN_ARG(r->orig),
				 SPAN_ARG(r->address)), *p;
	bool is_known;

	for (p = key; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 32) : *p;
	is_known = htab_put(&t->known, span_z(key), r) != NULL;
	arena_rewind(&t->arena, mark);
	return is_known;
}

void txn_add_rcpt(struct txn *t, struct span address, struct span orig, struct span orcpt, unsigned notify)
{
	struct txn_rcpt *r = arena_new(&t->arena, struct txn_rcpt);

	r->address = arena_span(&t->arena, address);
	r->orig = arena_span(&t->arena, orig);
	r->orcpt = arena_span(&t->arena, orcpt);
	r->notify = notify;
	/* most letters have one recipient and need no table */
	if (t->n_rcpts == 1)
		(void)remember(t, t->rcpts);
	if (t->n_rcpts && remember(t, r)) {
		t->n_twice++;
		return;
	}
	*t->rcpts_tail = r;
	t->rcpts_tail = &r->next;
	t->n_rcpts++;
}

const struct txn_try *txn_sole_rcpt(const struct txn *t)
{
	return t->n_rcpts == 1 && t->n_twice == 0 ? &t->first : NULL;
}

void txn_refuse_syntax(struct session *s, struct span args, const char *reply)
{
	ptrdiff_t colon = span_chr(args, ':');

	if (strncmp(reply, "501 5.1.", 8) == 0)
		log_warn("Illegal address syntax from %s in %s command: %.*s", s->namaddr, s->where,
			 SPAN_ARG(span_sub(span_trim(span_from(args, (size_t)(colon + 1))), 0, 300)));
	session_reply_line(s, reply);
}

int txn_open(struct session *s)
{
	struct txn *t = s->txn;

	if (t->id[0])
		return 0;
	if (server_take_id(s->srv, &t->qid) < 0)
		return -1;
	queue_id_print(t->id, t->qid);
	if (s->unix_user)
		log_info("%s: %s from=<%.*s>", t->id, s->unix_user, SPAN_ARG(t->sender));
	else if (s->sasl_user)
		log_info("%s: client=%s, sasl_method=%s, sasl_username=%s", t->id, s->namaddr, s->sasl_method,
			 s->sasl_user);
	else
		log_info("%s: client=%s", t->id, s->namaddr);
	return 0;
}

const char *txn_address(struct session *s, const struct address *addr)
{
	struct str text = STR_INIT(2000);
	const char *z;

	if (address_format(&text, addr) < 0)
		str_reset(&text);
	z = addr->domain.n || text.n == 0 ? arena_strndup(&s->txn->arena, text.p, text.n) :
		arena_printf(&s->txn->arena, "%s@%s", text.p, s->svc->global.myorigin);
	str_fini(&text);
	return z;
}
