#include "imapd/commands.h"
#include "imapd/search.h"
#include "imapd/thread.h"

#define OUT_MAX (1u << 30)

struct gather {
	struct session *s;
	struct command *c;
	struct thread_references *references;   /* NULL for ORDEREDSUBJECT */
	struct thread_msg *msgs;
	size_t at;
};

static bool gather_date(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k, const struct mail_body *body)
{
	struct gather *g = arg;

	if (m)
		g->msgs[g->at].sent_s = m->state & INDEX_HAS_RECORD ? m->sent_s : m->internal_s;
	g->at++;
	return true;
}

static bool gather_keys(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k, const struct mail_body *body)
{
	struct gather *g = arg;
	struct thread_msg *msg = &g->msgs[g->at++];

	msg->number = g->c->is_uid ? g->s->box->v[i].uid : (uint32_t)i + 1;
	if (k) {
		msg->base_subject = arena_span(&g->s->tick, k->base_subject);
		msg->is_reply = k->is_reply;
	}
	if (g->references)
		thread_references_add(g->references, k ? k->message_id : SPAN_NULL, k ? k->references : SPAN_NULL);
	return true;
}

static int thread(struct gather *g, const struct imap_search *req, const uint32_t *hits, size_t n, struct str *out, struct err *err)
{
	struct arena *a = &g->s->tick;
	int rc;

	if (mailbox_ensure(g->s->box, hits, n, err) < 0)
		return -1;
	g->msgs = arena_alloc(a, (n + 1) * sizeof(*g->msgs));
	if (mailbox_walk(g->s->box, hits, n, MAILBOX_DATES, gather_date, g, err) < 0)
		return -1;
	g->at = 0;
	if (req->thread == IMAP_SEARCH_REFERENCES)
		g->references = thread_references_begin(a, g->msgs, n);
	rc = mailbox_walk(g->s->box, hits, n, MAILBOX_KEYS, gather_keys, g, err);
	if (str_addz(out, "* THREAD") < 0 || (n && str_addc(out, ' ') < 0) ||
	    (g->references ? thread_references_end(g->references, out) < 0
			   : thread_subject_ordered(out, a, g->msgs, g->at) < 0) || str_addz(out, "\r\n") < 0)
		return rc < 0 ? -1 : err_set(err, ERR_TEMP, "an answer grew too long");
	return rc;
}

enum cmd_rc cmd_thread(struct session *s, struct command *c)
{
	struct imap_search req;
	struct err err = ERR_INIT;
	struct str out = STR_INIT(OUT_MAX);
	struct gather g = { .s = s, .c = c };
	uint32_t *hits;
	size_t n;
	int rc;

	if (!search_answer_parse(s, c, IMAP_SEARCH_THREAD, &req, &rc))
		return rc;
	if (search_run(s, &req, &hits, &n, &err) < 0 || thread(&g, &req, hits, n, &out, &err) < 0)
		rc = session_fail(s, c, NULL, &err);
	else
		rc = session_put(s, str_span(&out)) < 0 ? CMD_END : session_ok(s, c, "Thread completed.");
	str_fini(&out);
	return rc;
}
