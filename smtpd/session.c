#include "smtpd/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/smtp.h"
#include "smtpd/cmd.h"
#include "smtpd/footer.h"
#include "smtpd/restrict_run.h"
#include "smtpd/txn.h"
#include "svc/msg_anvil.h"
#include "svc/msg_resolve.h"

#define IN_MAX 16384u
#define OUT_MAX 65536u
#define OUT_PAUSE 16384u        /* a client that does not read its replies is not read either */
#define LINGER_MAX 262144u
#define FOOTER_MAX 8000u

static void on_io(uv_poll_t *p, int status, int events);
static void on_timer(uv_timer_t *t);

struct session *session_new(struct server *srv, struct service *svc, int fd, const char *addr, unsigned port,
	const char *local_addr, const char *unix_user)
{
	struct session *s = xnew(struct session);
	int one = 1;

	s->srv = srv;
	s->svc = service_ref(svc);
	s->verb = -1;
	s->where = "CONNECT";
	s->client_port = (uint16_t)port;
	arena_init(&s->arena, 512);
	stream_init(&s->io, fd, IN_MAX, OUT_MAX);
	s->client_addr = arena_strdup(&s->arena, addr);
	s->local_addr = arena_strdup(&s->arena, local_addr);
	s->ident = arena_printf(&s->arena, "%s:%s", svc->name, addr);
	s->client_name = s->client_reverse = "unknown";
	s->name_status = s->reverse_status = MSG_TEMP;
	s->unix_user = unix_user ? xstrdup(unix_user) : NULL;
	s->is_local = unix_user || strcmp(addr, local_addr) == 0;
	if (!unix_user)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->poll = xnew(uv_poll_t);
	s->timer = xnew(uv_timer_t);
	BUG(uv_poll_init(&srv->loop->uv, s->poll, fd) != 0);
	uv_timer_init(&srv->loop->uv, s->timer);
	s->poll->data = s->timer->data = s;
	s->rearm = true;
	server_add(srv, s);
	log_as(svc->log_name);
	connect_begin(s);
	session_run(s);
	return s;
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

/* "ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4", as Postfix. */
static void log_disconnect(struct session *s)
{
	struct str line = STR_INIT(1000);
	unsigned total = 0, done = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < SESSION_COUNTERS; i++) {
		char name[16] = "unknown";
		size_t k;

		if (!s->total[i])
			continue;
		total += s->total[i];
		done += s->done[i];
		for (k = 0; i < cmd_count && (k == 0 || cmd_table[i].name[k - 1]) && k < sizeof(name); k++)
			name[k] = (char)(cmd_table[i].name[k] | (cmd_table[i].name[k] ? 32 : 0));
		rc |= s->done[i] == s->total[i] ? str_addf(&line, " %s=%u", name, s->total[i]) :
						  str_addf(&line, " %s=%u/%u", name, s->done[i], s->total[i]);
	}
	rc |= done == total ? str_addf(&line, " commands=%u", total) : str_addf(&line, " commands=%u/%u", done, total);
	if (rc == 0)
		log_info("disconnect from %s%s", s->namaddr ? s->namaddr : s->client_addr, line.p);
	str_fini(&line);
}

static void end_command(struct session *s)
{
	if (s->verb >= 0 && !s->failed)
		s->done[s->verb]++;
	s->verb = -1;
	s->failed = s->slept = false;
}

/* Input that nobody will read would make the kernel reset the connection and the last reply with it. */
static void linger(struct session *s)
{
	char sink[8192];
	size_t n = 0;
	ssize_t got;

	if (s->io.fd < 0 || s->lost)
		return;
	while (n < LINGER_MAX && (got = recv(s->io.fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
		n += (size_t)got;
}

void session_destroy(struct session *s)
{
	struct anvil_disconnect bye = { span_z(s->ident) };

	end_command(s);
	if (s->namaddr)
		log_disconnect(s);
	if (s->in_anvil)
		(void)!ipc_send(&s->srv->anvil, &anvil_disconnect_desc, &bye, NULL);
	ipc_cancel(&s->req);
	if (s->exchange)
		sasl_abort(s->exchange);
	free(s->exchange);
	restrict_run_free(&s->run);
	txn_free(&s->txn);
	s->poll->data = s->timer->data = NULL;
	uv_poll_stop(s->poll);
	uv_close((uv_handle_t *)s->poll, free_handle);
	uv_close((uv_handle_t *)s->timer, free_handle);
	linger(s);
	stream_fini(&s->io);
	session_forget(s);
	free(s->defer_client);
	free(s->held_initial);
	free(s->unix_user);
	arena_fini(&s->arena);
	service_unref(&s->svc);
	server_remove(s->srv, s);
	free(s);
}

void session_forget(struct session *s)
{
	session_reset(s);
	free(s->helo);
	free(s->helo_before);
	free(s->defer_helo);
	free(s->sasl_user);
	free(s->sasl_method);
	s->helo = s->helo_before = s->defer_helo = s->sasl_user = s->sasl_method = NULL;
	s->esmtp = false;
}

void session_reset(struct session *s)
{
	txn_free(&s->txn);
}

void session_close(struct session *s)
{
	s->closing = true;
}

/* ---- replies and log lines ---- */

static void put_reply(struct session *s, int code, const char *dsn, struct span text)
{
	struct str both = STR_INIT(FOOTER_MAX);

	if (code >= 400) {
		s->errors++;
		s->failed = true;
	}
	if (code >= 400 && s->svc->conf.smtpd_reject_footer[0])
		text = footer_add(s, text, &both);
	if (smtp_reply(&s->io.out, code, s->svc->ehlo_off & SERVICE_EHLO_STATUS ? NULL : dsn, text) < 0)
		session_close(s);
	str_fini(&both);
}

void session_reply(struct session *s, int code, const char *dsn, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_reply(s, code, dsn, span_z(text));
}

void session_reply_line(struct session *s, const char *line)
{
	struct span dsn, text;
	char status[16];
	int code;

	if (!smtp_reply_split(span_z(line), &code, &dsn, &text)) {
		session_reply(s, 451, "4.3.5", "Server configuration error");
		return;
	}
	snprintf(status, sizeof(status), "%.*s", SPAN_ARG(dsn));
	put_reply(s, code, status, text);
}

void session_queued(struct session *s)
{
	s->errors = s->junk = 0;
	session_reply(s, 250, "2.0.0", "Ok: queued as %s", s->txn->id);
}

const char *session_queue_id(const struct session *s)
{
	return s->txn && s->txn->id[0] ? s->txn->id : "NOQUEUE";
}

void session_log(struct session *s, const char *kind, const char *rcpt, const char *text)
{
	struct str line = STR_INIT(4000);
	/* what the peer chose is cut: a line that does not fit would not be written, and nobody would hear of him */
	int rc = str_addf(&line, "%s: %s: %s from %.400s: %.1000s;", session_queue_id(s), kind, s->where, s->namaddr,
			  text);

	if (s->txn && s->txn->sender.p)
		rc |= str_addf(&line, " from=<%.*s>", SPAN_ARG(span_sub(s->txn->sender, 0, 300)));
	if (rcpt)
		rc |= str_addf(&line, " to=<%.300s>", rcpt);
	rc |= str_addf(&line, " proto=%s", s->esmtp ? "ESMTP" : "SMTP");
	if (s->helo)
		rc |= str_addf(&line, " helo=<%.300s>", s->helo);
	if (rc == 0)
		log_info("%s", line.p);
	str_fini(&line);
}

void session_reject(struct session *s, const char *rcpt, const char *reply)
{
	session_log(s, "reject", rcpt, reply);
	session_reply_line(s, reply);
	/* 421 and 521 promise that we hang up (RFC 5321 section 3.8, RFC 7504) */
	if (strncmp(reply, "421", 3) == 0 || strncmp(reply, "521", 3) == 0)
		session_close(s);
}

/* ---- waiting ---- */

int session_call(struct session *s, struct ipc *c, const struct ipc_desc *d, const void *in,
	const struct ipc_desc *reply, ipc_reply_fn *fn)
{
	if (ipc_call(c, d, in, NULL, reply, &s->req, fn, s, SERVER_CALL_MS) < 0)
		return -1;
	s->pending = true;
	return 0;
}

void session_resume(struct session *s)
{
	log_as(s->svc->log_name);
	s->pending = false;
	s->rearm = true;
}

static void on_sleep_end(uv_timer_t *t)
{
	struct session *s = t->data;
	void (*after)(struct session *s);

	if (!s)
		return;
	log_as(s->svc->log_name);
	after = s->after_sleep;
	s->after_sleep = NULL;
	s->sleeping = false;
	s->rearm = true;
	if (after)
		after(s);
	session_run(s);
}

void session_sleep(struct session *s, uint64_t ms, void (*after)(struct session *s))
{
	s->sleeping = true;
	s->after_sleep = after;
	uv_timer_start(s->timer, on_sleep_end, ms, 0);
}

int session_event(struct session *s, unsigned event, uint64_t limit, ipc_reply_fn *fn)
{
	struct anvil_occurred m = { span_z(s->ident), event };

	if (limit == 0 || s->is_exempt)
		return 0;
	return session_call(s, &s->srv->anvil, &anvil_occurred_desc, &m, &anvil_counts_desc, fn) == 0;
}

bool session_over_limit(struct session *s, enum ipc_rc rc, const void *reply, uint64_t limit, const char *what)
{
	const struct anvil_counts *c = reply;

	if (rc != IPC_OK || c->rate <= limit)
		return false;
	log_warn("%s limit exceeded: %llu from %s for service %s", what, (unsigned long long)c->rate, s->namaddr,
		s->svc->name);
	return true;
}

/* ---- the run ---- */

/* A client that errs gets slower answers, then none, until it has delivered a message. */
static void penalize(struct session *s)
{
	const struct smtpd_conf *conf = &s->svc->conf;

	if (s->errors >= conf->smtpd_hard_error_limit) {
		log_info("too many errors after %s from %s", s->where, s->namaddr);
		session_reply(s, 421, "4.7.0", "%s Error: too many errors", s->svc->global.myhostname);
		session_close(s);
	} else if (stream_pending(&s->io) && !s->slept && s->errors > conf->smtpd_soft_error_limit &&
		   conf->smtpd_error_sleep_time_ms) {
		s->slept = true;
		session_sleep(s, conf->smtpd_error_sleep_time_ms, NULL);
	}
}

/* The rest of a line that was too long. */
static enum io_rc skip_line(struct session *s)
{
	struct span in = stream_peek(&s->io);
	ptrdiff_t lf = span_chr(in, '\n');

	stream_skip(&s->io, lf < 0 ? in.n : (size_t)lf + 1);
	if (lf < 0)
		return s->io.has_eof ? IO_EOF : IO_AGAIN;
	if (s->skip_auth)               /* RFC 4954 section 4 */
		session_reply(s, 500, "5.5.6", "Error: authentication exchange line is too long");
	else
		session_reply(s, 500, "5.5.2", "Error: command line too long");
	s->skip_line = s->skip_auth = false;
	return IO_OK;
}

static enum io_rc take_line(struct session *s)
{
	size_t max = s->svc->conf.line_length_limit < IN_MAX ? s->svc->conf.line_length_limit : IN_MAX - 2;
	bool is_bare = false;
	struct span line;
	enum io_rc rc;

	if (s->skip_line)
		return skip_line(s);
	rc = stream_getline(&s->io, max, &line, &is_bare);
	if (rc == IO_TOOLONG) {
		s->skip_line = true;
		return IO_OK;
	}
	if (rc != IO_OK)
		return rc;
	if (is_bare && s->svc->conf.smtpd_forbid_bare_newline == SMTPD_FORBID_BARE_NEWLINE_REJECT &&
	    !netlist_match(&s->svc->newline_exclusions, s->client_name, s->client_addr)) {
		log_info("bare <LF> received after %s from %s", s->where, s->namaddr);
		session_reply(s, 521, "5.5.2", "%s Error: bare <LF> received", s->svc->global.myhostname);
		session_close(s);
		return IO_OK;
	}
	cmd_dispatch(s, line);
	s->rearm = true;
	return IO_OK;
}

static enum io_rc step(struct session *s)
{
	switch ((enum session_mode)s->mode) {
	case SESSION_COMMAND:
		end_command(s);
		return take_line(s);
	case SESSION_AUTH:
		return cmd_auth_step(s);
	case SESSION_CONTENT:
		return cmd_data_step(s);
	case SESSION_SKIP:
		return cmd_data_skip(s);
	case SESSION_STARTTLS:
		return cmd_starttls_step(s);
	case SESSION_HANDSHAKE:
		return cmd_starttls_handshake(s);
	case SESSION_CONNECT:
		break;
	}
	return IO_AGAIN;
}

static void lose(struct session *s)
{
	if (s->mode != SESSION_COMMAND || s->pending)
		s->failed = true;
	if (!s->closing && s->namaddr)
		log_info("lost connection after %s from %s", s->where, s->namaddr);
	s->lost = true;
	session_close(s);
}

static void watch(struct session *s, unsigned want)
{
	int events = (want & STREAM_READ ? UV_READABLE : 0) | (want & STREAM_WRITE ? UV_WRITABLE : 0);

	if (events == s->watched)
		return;
	s->watched = (uint16_t)events;
	if (events)
		uv_poll_start(s->poll, events, on_io);
	else
		uv_poll_stop(s->poll);
}

/* The way to qmgr is full: its content stays with the client until the channel has drained. */
static bool is_blocked(const struct session *s)
{
	return s->mode == SESSION_CONTENT && ipc_is_full(&s->srv->queue);
}

static void arm(struct session *s)
{
	bool stuck = !s->pending && stream_pending(&s->io) > 0;
	bool waits = s->pending || s->sleeping || is_blocked(s);
	unsigned want = stream_events(&s->io);

	/* Few clients speak while they wait for an answer: reading is stopped when one does, not before. */
	if (waits)
		want = (!s->readable && (s->watched & UV_READABLE) ? STREAM_READ : 0) |
		       (stuck && !s->sleeping ? STREAM_WRITE : 0);
	else if (stream_pending(&s->io) >= OUT_PAUSE)
		want = STREAM_WRITE;
	watch(s, want);
	if (s->sleeping)
		return;
	if (s->pending) {
		uv_timer_stop(s->timer);
	} else if (s->rearm || !uv_is_active((uv_handle_t *)s->timer)) {
		s->rearm = false;
		uv_timer_start(s->timer, on_timer, s->mode == SESSION_HANDSHAKE ?
			       s->svc->conf.smtpd_starttls_timeout_ms :
			       s->svc->conf.smtpd_timeout_ms, 0);
	}
}

static void settle(struct session *s, enum io_rc rc)
{
	struct err err = ERR_INIT;

	if (rc == IO_EOF || rc == IO_ERR)
		lose(s);
	/* what another daemon is asked meanwhile is answered in the same flight */
	if (!s->sleeping && !s->pending && !s->lost && stream_flush(&s->io, &err) == IO_ERR)
		lose(s);
	if (s->closing && !s->sleeping && (s->lost || stream_pending(&s->io) == 0)) {
		session_destroy(s);
		return;
	}
	if (!s->pending && s->mode == SESSION_COMMAND)
		stream_idle(&s->io);
	arm(s);
}

/* Input may be waiting: in the socket, or decrypted in OpenSSL where poll does not see it. */
static bool may_fill(const struct session *s)
{
	if (s->pending || s->closing || is_blocked(s) || s->mode == SESSION_HANDSHAKE || s->mode == SESSION_STARTTLS)
		return false;
	return s->readable || (s->tls && tls_has_pending(&s->io));
}

void session_run(struct session *s)
{
	struct err err = ERR_INIT;
	enum io_rc rc = IO_OK;

	log_as(s->svc->log_name);
	while (!s->pending && !s->sleeping && !s->closing && stream_pending(&s->io) < OUT_PAUSE) {
		penalize(s);
		if (s->sleeping || s->closing)
			break;
		rc = step(s);
		if (rc == IO_AGAIN && may_fill(s)) {
			s->readable = false;
			rc = stream_fill(&s->io, &err);
			if (rc == IO_EOF)       /* what is buffered is still served */
				rc = stream_peek(&s->io).n ? IO_OK : IO_EOF;
		}
		if (rc != IO_OK)
			break;
	}
	settle(s, s->pending || s->closing ? IO_OK : rc);
	log_as(NULL);
}

static void on_io(uv_poll_t *p, int status, int events)
{
	struct session *s = p->data;

	if (!s)
		return;
	if (status < 0 || (events & UV_READABLE))
		s->readable = true;
	session_run(s);
}

static void on_timer(uv_timer_t *t)
{
	struct session *s = t->data;

	if (!s)
		return;
	log_as(s->svc->log_name);
	if (s->closing || s->mode == SESSION_HANDSHAKE || stream_pending(&s->io) > 0) {
		log_info("timeout after %s from %s", s->where, s->namaddr);
		s->lost = s->closing = true;
	} else {
		log_info("timeout after %s from %s", s->where, s->namaddr ? s->namaddr : s->client_addr);
		session_reply(s, 421, "4.4.2", "%s Error: timeout exceeded", s->svc->global.myhostname);
		s->failed = true;
		session_close(s);
	}
	session_run(s);
}
