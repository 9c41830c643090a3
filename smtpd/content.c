#include "smtpd/content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/write_all.h"
#include "proto/date.h"
#include "proto/received.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "svc/msg_queue.h"
#include "svc/msg_resolve.h"

#define EOL "\n"                /* queue and mailboxes hold LF */
#define BUF_MAX (IPC_BODY_MAX + 131072u)
#define RCPTS_BYTES 30000u      /* a frame of recipients */

/* Fields that are not the sender's to set (Postfix: message_drop_headers). */
static const char *const drop[] = { "Bcc", "Content-Length", "Resent-Bcc", "Return-Path", NULL };

static const char write_error[] = "451 4.3.0 Error: queue file write error";
static const char no_room[] = "452 4.3.1 Insufficient system storage";

static void fail(struct content *c, const char *reply)
{
	if (!c->fail[0])
		snprintf(c->fail, sizeof(c->fail), "%s", reply);
}

static void put(struct content *c, struct span s)
{
	if (!c->fail[0] && !c->body.too_big && str_add_span(&c->buf, s) < 0)
		fail(c, write_error);
}

static void on_bytes(void *arg, struct span s)
{
	put(arg, s);
}

static bool wants_headers(const struct session *s)
{
	unsigned who = s->svc->rewrite;

	return s->svc->conf.always_add_missing_headers || s->unix_user ||
	       ((who & SERVICE_REWRITE_INET) && s->is_local) ||
	       ((who & SERVICE_REWRITE_NETWORKS) && s->is_trusted) || ((who & SERVICE_REWRITE_SASL) && s->sasl_user) ||
	       ((who & SERVICE_REWRITE_CCERTS) && s->ccert);
}

/* Date, From and Message-ID that a submitting client left out (RFC 6409 section 8). */
static void add_missing(struct content *c)
{
	struct session *s = c->s;
	struct str text = STR_INIT(2000);
	int64_t now = (int64_t)(clock_wall_ms() / 1000);
	time_t t = (time_t)now;
	struct tm tm = { 0 };
	char stamp[32];
	int rc = 0;

	if (!c->header.has_date) {
		rc |= str_addz(&text, "Date: ");
		rc |= date_format_zone(&text, now);
		rc |= str_addz(&text, EOL);
	}
	if (!c->header.has_from && s->txn->sender.n)
		rc |= str_addf(&text, "From: %.*s" EOL, SPAN_ARG(s->txn->sender));
	else if (!c->header.has_from)
		rc |= str_addf(&text, "From: MAILER-DAEMON@%s" EOL, s->svc->global.myhostname);
	if (!c->header.has_message_id) {
		gmtime_r(&t, &tm);
		strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
		snprintf(c->header.message_id, sizeof(c->header.message_id), "<%s.%s@%.150s>", stamp, s->txn->id,
			 s->svc->global.myhostname);
		rc |= str_addf(&text, "Message-Id: %s" EOL, c->header.message_id);
	}
	if (rc == 0)
		put(c, str_span(&text));
	str_fini(&text);
}

static void on_header_end(void *arg, bool needs_blank)
{
	struct content *c = arg;

	if (wants_headers(c->s))
		add_missing(c);
	if (needs_blank)
		put(c, SPAN_LIT(EOL));
}

static const struct header_events events = { on_bytes, on_header_end };

/* Whom the client wrote to. */
static struct span wanted(const struct txn_rcpt *r)
{
	return r->orig.n ? r->orig : r->address;
}

static void put_received(struct content *c)
{
	struct session *s = c->s;
	struct txn *t = s->txn;
	struct received r = {
		.uid = span_from(span_z(s->unix_user), sizeof("uid=") - 1),
		.helo = s->helo ? span_z(s->helo) : span_z(s->client_name),
		.client_name = span_z(s->client_name),
		.client_addr = span_z(s->client_addr),
		.tls = s->svc->conf.smtpd_tls_received_header ? span_z(s->tls) : SPAN_NULL,
		.sasl_user = s->svc->conf.smtpd_sasl_authenticated_header ? span_z(s->sasl_user) : SPAN_NULL,
		.by = span_z(s->svc->global.myhostname),
		.mail_name = span_z(s->svc->global.mail_name),
		.esmtp = s->esmtp, .utf8 = t->mail.smtputf8, .is_tls = s->tls, .is_auth = s->sasl_user,
		.id = span_z(t->id),
		.rcpt = t->n_rcpts == 1 ? wanted(t->rcpts) : SPAN_NULL,
		.time_s = (int64_t)(clock_wall_ms() / 1000),
	};

	put(c, str_span(&t->prepend));
	if (received_format(&c->buf, &r, EOL) < 0)
		fail(c, write_error);
}

void content_new(struct session *s, enum smtp_body_mode mode)
{
	struct content *c = xnew(struct content);

	s->txn->content = c;
	c->s = s;
	c->qid = s->txn->qid;
	c->fd = -1;
	str_init(&c->buf, BUF_MAX);
	smtp_body_init(&c->body, mode, EOL, s->svc->global.message_size_limit);
	header_filter_init(&c->header, &events, c, drop);
	put_received(c);
}

void content_free(struct content **content)
{
	struct content *c = *content;

	*content = NULL;
	if (!c)
		return;
	ipc_cancel(&c->enq);
	if (c->begun && !c->ended && !c->answered)
		(void)!ipc_send(&c->s->srv->queue, &enq_abort_desc, &(struct enq_abort){ c->qid }, NULL);
	if (c->fd >= 0)
		close(c->fd);
	str_fini(&c->buf);
	free(c);
}

bool content_feed(struct content *c, struct span *in)
{
	enum smtp_body_rc rc;
	struct span out;

	while ((rc = smtp_body_next(&c->body, in, &out)) == SMTP_BODY_OUT)
		header_filter_feed(&c->header, out);
	return rc == SMTP_BODY_END;
}

void content_finish(struct content *c)
{
	struct span out;

	if (c->body.mode == SMTP_BODY_BDAT) {
		while (smtp_body_finish(&c->body, &out) == SMTP_BODY_OUT)
			header_filter_feed(&c->header, out);
	}
	header_filter_finish(&c->header);
}

/* ---- qmgr ---- */

static void set_answer(struct content *c, enum ipc_rc rc, const struct enq_result *r)
{
	c->answered = true;
	if (rc == IPC_OK && r->status == MSG_OK)
		return;
	if (rc == IPC_OK)
		log_warn("%s: not queued: %.*s", c->s->txn->id, SPAN_ARG(r->text));
	else
		log_warn("%s: not queued: qmgr %s", c->s->txn->id, rc == IPC_TIMEOUT ? "does not answer" : "has gone");
	fail(c, rc == IPC_OK && span_eqz(r->dsn, "4.3.1") ? no_room : write_error);
}

static void report(struct content *c)
{
	struct session *s = c->s;

	if (c->fail[0])
		session_reply_line(s, c->fail);
	else
		session_queued(s);
	session_reset(s);
}

static void on_result(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct content *c = arg;
	struct session *s = c->s;

	set_answer(c, rc, reply);
	/* an early refusal waits until the client has said all; a file nobody wants is not written further */
	if (!c->waits)
		return;
	session_resume(s);
	report(c);
	session_run(s);
}

static int send_rcpts(struct content *c, struct enq_rcpt *v, size_t n)
{
	struct enq_rcpts m = { c->s->txn->qid, { v, n } };

	return n ? ipc_send(&c->s->srv->queue, &enq_rcpts_desc, &m, NULL) : 0;
}

static int send_all_rcpts(struct content *c)
{
	struct txn *t = c->s->txn;
	struct enq_rcpt batch[64];
	struct txn_rcpt redirect = { .address = t->redirect, .orig = wanted(t->rcpts) };
	struct txn_rcpt *r = t->redirect.n ? &redirect : t->rcpts;
	size_t n = 0, bytes = 0;
	bool bcc = false;

	for (;;) {
		if (!r && !bcc) {
			bcc = true;
			r = t->bcc;
		}
		if (!r || n == ARRAY_LEN(batch) || bytes > RCPTS_BYTES) {
			if (send_rcpts(c, batch, n) < 0)
				return -1;
			n = bytes = 0;
			if (!r)
				return 0;
		}
		batch[n++] = (struct enq_rcpt){ r->address, wanted(r), r->orcpt, r->notify };
		bytes += 2 * r->address.n + r->orcpt.n + 64;
		r = r->next;
	}
}

static uint64_t env_flags(const struct content *c)
{
	const struct session *s = c->s;
	const struct txn *t = s->txn;
	uint64_t f = 0;

	f |= t->mail.body == SMTP_BODY_8BITMIME ? ENV_8BITMIME : 0;
	f |= t->mail.smtputf8 ? ENV_SMTPUTF8 : 0;
	f |= t->mail.ret == SMTP_RET_FULL ? ENV_RET_FULL : t->mail.ret == SMTP_RET_HDRS ? ENV_RET_HDRS : 0;
	f |= s->sasl_user || s->unix_user ? ENV_AUTHENTICATED : 0;
	f |= t->hold ? ENV_HOLD : 0;
	f |= s->is_trusted || s->sasl_user ? ENV_LOCAL_ORIGIN : 0;
	return f;
}

static int begin(struct content *c, uint64_t timeout_ms)
{
	struct session *s = c->s;
	struct txn *t = s->txn;
	struct enq_begin m = {
		.qid = t->qid, .sender = t->sender, .envid = t->mail.envid, .flags = env_flags(c),
		.client_name = span_z(s->client_name), .client_addr = span_z(s->client_addr), .helo = span_z(s->helo),
		.proto = s->esmtp ? SPAN_LIT("ESMTP") : SPAN_LIT("SMTP"), .sasl_method = span_z(s->sasl_method),
		.sasl_user = span_z(s->sasl_user ? s->sasl_user : s->unix_user), .arrival_ms = clock_wall_ms(),
	};

	if (c->begun)
		return 0;
	if (ipc_call(&s->srv->queue, &enq_begin_desc, &m, NULL, &enq_result_desc, &c->enq, on_result, c,
		     timeout_ms) < 0)
		return -1;
	c->begun = true;
	return send_all_rcpts(c);
}

static void write_out(struct content *c)
{
	if (!c->fail[0] && write_all(c->fd, str_span(&c->buf)) < 0) {
		log_warn("%s: large file: %s", c->s->txn->id, strerror(errno));
		fail(c, errno == ENOSPC || errno == EDQUOT ? no_room : write_error);
	}
	c->written += c->buf.n;
	str_fini(&c->buf);
}

static void on_large(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	const struct enq_large_fd *r = reply;
	struct session *s = arg;
	struct content *c = s->txn->content;

	session_resume(s);
	if (rc == IPC_OK && r->status == MSG_OK && *fd >= 0) {
		c->fd = *fd;
		*fd = -1;
		write_out(c);
	} else {
		if (rc == IPC_OK)
			log_warn("%s: no large file: %.*s", s->txn->id, SPAN_ARG(r->text));
		fail(c, rc == IPC_OK && span_eqz(r->dsn, "4.3.1") ? no_room : write_error);
	}
	if (s->mode == SESSION_COMMAND)         /* the end had come before the descriptor */
		content_submit(c);
	session_run(s);
}

void content_spill(struct content *c)
{
	struct session *s = c->s;
	struct enq_large m = { s->txn->qid };

	if (c->fail[0] || c->body.too_big || s->txn->discard) {
		str_fini(&c->buf);
		return;
	}
	if (c->buf.n <= IPC_BODY_MAX)
		return;
	if (c->fd >= 0)
		write_out(c);
	else if (begin(c, 0) < 0 ||
		 session_call(s, &s->srv->queue, &enq_large_desc, &m, &enq_large_fd_desc, on_large) < 0)
		fail(c, write_error);
}

void content_submit(struct content *c)
{
	struct session *s = c->s;
	struct ipc *q = &s->srv->queue;
	struct enq_body body = { s->txn->qid, str_span(&c->buf) };
	struct enq_end end = { s->txn->qid, c->written + c->buf.n };

	if (c->fd < 0 && c->buf.n > IPC_BODY_MAX) {
		content_spill(c);
		if (s->pending)
			return;
	}
	if (c->fd >= 0)
		write_out(c);
	if (!c->fail[0] && (begin(c, SERVER_COMMIT_MS) < 0 ||
			    (c->fd < 0 && ipc_send(q, &enq_body_desc, &body, NULL) < 0) ||
			    ipc_send(q, &enq_end_desc, &end, NULL) < 0))
		fail(c, write_error);
	if (c->fail[0] || c->answered) {
		report(c);
		return;
	}
	log_info("%s: message-id=%s", s->txn->id, c->header.message_id);
	c->ended = true;
	c->waits = true;
	s->pending = true;
	str_fini(&c->buf);
}
