#include "login/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "svc/msg_anvil.h"

#define LAST_WORDS_MS 5000      /* for a client that does not read its last reply */
#define ANVIL_TIMEOUT_MS 2000

static void on_event(uv_poll_t *p, int status, int events);
static void on_timeout(uv_timer_t *t);

/* ---- begin ---- */

static void address_text(const struct sockaddr *sa, char out[48])
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const void *p = NULL;
	int family = sa->sa_family;

	if (family == AF_INET) {
		p = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	} else if (family == AF_INET6) {
		p = &in6->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			family = AF_INET;
			p = in6->sin6_addr.s6_addr + 12;
		}
	}
	if (!p || !inet_ntop(family, p, out, 48))
		snprintf(out, 48, "local");
}

static void draw_id(struct session *s)
{
	unsigned char raw[12];
	struct str id = STR_INIT(sizeof(s->id));

	random_bytes(raw, sizeof(raw));
	BUG(base64_encode(&id, (struct span){ (const char *)raw, sizeof(raw) }) < 0);
	memcpy(s->id, id.p, id.n + 1);
	str_fini(&id);
}

static void welcome(struct session *s)
{
	if (s->svc->is_implicit_tls)
		session_starttls(s);
	else
		s->proto->greet(s);
}

static struct span anvil_ident(struct session *s)
{
	return span_z(arena_printf(&s->srv->loop->tick, "%s:%s", s->proto->name, s->remote));
}

static void on_connected(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session *s = arg;
	const struct anvil_counts *c = reply;
	uint64_t limit = s->svc->conf.login_client_connection_count_limit;

	session_resume(s);
	s->is_counted = rc == IPC_OK;
	if (s->is_counted && limit && c->count > limit && !session_is_local(s)) {
		s->proto->refuse(s, REFUSE_TOO_MANY_CONNECTIONS);
		session_end(s, "Disconnected: Too many connections from this address");
	} else {
		welcome(s);
	}
	session_run(s);
}

static void count(struct session *s)
{
	struct anvil_connect m = { anvil_ident(s) };

	if (ipc_is_attached(&s->srv->anvil) &&
	    ipc_call(&s->srv->anvil, &anvil_connect_desc, &m, NULL, &anvil_counts_desc, &s->req, on_connected, s,
		     ANVIL_TIMEOUT_MS) == 0)
		session_await(s);
	else
		welcome(s);
}

void session_new(struct server *srv, struct service *svc, int fd, const struct sockaddr *peer,
		 const struct sockaddr *own)
{
	struct session *s = xnew(struct session);
	int one = 1;

	s->srv = srv;
	s->svc = service_ref(svc);
	s->proto = svc->proto;
	s->started_ms = clock_mono_ms();
	address_text(peer, s->remote);
	address_text(own, s->local);
	draw_id(s);
	if (peer->sa_family == AF_INET || peer->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	stream_init(&s->io, fd, SESSION_IN_MAX, SESSION_OUT_MAX);
	str_init(&s->initial, SASL_DATA_MAX);
	BUG(uv_poll_init(&srv->loop->uv, &s->poll, fd) != 0);
	uv_timer_init(&srv->loop->uv, &s->timer);
	s->poll.data = s->timer.data = s;
	s->n_handles = 2;
	uv_timer_start(&s->timer, on_timeout, svc->conf.login_timeout_ms, 0);
	server_add(srv, s);
	count(s);
	session_run(s);
}

/* ---- end ---- */

static void on_closed(uv_handle_t *h)
{
	struct session *s = h->data;

	if (--s->n_handles > 0)
		return;
	service_unref(&s->svc);
	free(s);
}

static void discount(struct session *s)
{
	struct anvil_disconnect m = { anvil_ident(s) };

	if (s->is_counted && ipc_is_attached(&s->srv->anvil))
		(void)!ipc_send(&s->srv->anvil, &anvil_disconnect_desc, &m, NULL);
	s->is_counted = false;
}

void session_destroy(struct session *s)
{
	if (s->is_dead)
		return;
	s->is_dead = true;
	if (!s->has_logged_in)
		journal_end(s);
	discount(s);
	sasl_abort(&s->exchange);
	ipc_cancel(&s->req);
	relay_free(s);
	uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	stream_fini(&s->io);
	explicit_bzero(s->initial.p, s->initial.cap);
	str_fini(&s->initial);
	free(s->user);
	free(s->name);
	free(s->tag);
	free(s->tls_error);
	server_remove(s->srv, s);
}

void session_end(struct session *s, const char *reason)
{
	if (!s->reason)
		s->reason = reason;
	s->is_ending = true;
}

static void on_timeout(uv_timer_t *t)
{
	struct session *s = t->data;

	if (s->is_ending) {
		session_destroy(s);
		return;
	}
	sasl_abort(&s->exchange);
	ipc_cancel(&s->req);
	session_resume(s);
	if (s->phase == SESSION_OPEN)
		s->proto->refuse(s, REFUSE_TIMEOUT);
	session_end(s, "Disconnected: Inactivity");
	session_run(s);
}

/* ---- what protocols call ---- */

void session_put(struct session *s, const char *fmt, ...)
{
	char small[512], *big = NULL;
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	BUG(n < 0);
	if ((size_t)n >= sizeof(small)) {
		big = xcalloc(1, (size_t)n + 1);
		vsnprintf(big, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (stream_put(&s->io, big ? big : small, (size_t)n) < 0) {
		s->io.is_dead = true;
		session_end(s, "Disconnected: Client does not read its replies");
	}
	free(big);
}

void session_starttls(struct session *s)
{
	s->phase = SESSION_FLUSH_FOR_TLS;
}

void session_forget(struct session *s)
{
	free(s->name);
	free(s->user);
	free(s->tag);
	s->name = s->user = s->tag = NULL;
	s->mech[0] = '\0';
	s->obstacle = NULL;
}

bool session_is_local(const struct session *s)
{
	struct cidr address;
	struct err ignored = ERR_INIT;
	size_t i;

	if (strcmp(s->remote, s->local) == 0)
		return true;
	if (cidr_parse(&address, span_z(s->remote), &ignored) < 0)
		return false;
	for (i = 0; i < s->svc->n_trusted; i++) {
		if (cidr_has(&s->svc->trusted[i], &address))
			return true;
	}
	return false;
}

bool session_may_plaintext(const struct session *s)
{
	return s->is_tls || session_is_local(s) || (s->svc->may_cleartext && s->svc->conf.ssl != SSL_REQUIRED);
}

bool session_offers_tls(const struct session *s)
{
	return !s->is_tls && server_tls(s->srv, s->svc) != NULL;
}

void session_await(struct session *s)
{
	s->is_pending = true;
}

void session_resume(struct session *s)
{
	s->is_pending = false;
}

void session_unwatch(struct session *s)
{
	uv_poll_stop(&s->poll);
	s->watched = 0;
}

/* ---- TLS ---- */

static enum io_rc begin_tls(struct session *s, struct err *err)
{
	enum io_rc rc = stream_flush(&s->io, err);
	struct tls_ctx *ctx = server_tls(s->srv, s->svc);

	if (rc != IO_OK)
		return rc;
	/* what came behind STLS was sent by whoever sits on the line (CVE-2011-0411) */
	stream_drop_input(&s->io);
	if (!ctx) {
		err_set(err, ERR_CONF, "there is no certificate, see ssl_cert");
		return IO_ERR;
	}
	if (tls_accept(&s->io, ctx, err) < 0)
		return IO_ERR;
	s->phase = SESSION_HANDSHAKE;
	return IO_OK;
}

static enum io_rc shake_hands(struct session *s, struct err *err)
{
	enum io_rc rc = tls_handshake(&s->io, err);

	if (rc != IO_OK)
		return rc;
	s->phase = SESSION_OPEN;
	s->is_tls = true;
	s->proto->forget(s);
	if (s->svc->is_implicit_tls)
		s->proto->greet(s);
	else
		tls_acknowledge(&s->io);
	return IO_OK;
}

/* ---- the loop ---- */

static enum io_rc step(struct session *s, struct err *err)
{
	enum io_rc rc;

	if (s->phase == SESSION_FLUSH_FOR_TLS)
		return begin_tls(s, err);
	if (s->phase == SESSION_HANDSHAKE)
		return shake_hands(s, err);
	rc = s->proto->input(s);
	if (rc == IO_OK && !s->is_ending && (s->n_bad >= SESSION_BAD_MAX || s->n_commands >= SESSION_COMMANDS_MAX)) {
		s->proto->refuse(s, REFUSE_TOO_MANY_BAD);
		session_end(s, "Disconnected: Too many invalid commands");
	}
	return rc == IO_AGAIN ? stream_fill(&s->io, err) : rc;
}

static void stopped(struct session *s, enum io_rc rc, const struct err *err)
{
	if (rc == IO_TOOLONG) {
		s->proto->refuse(s, REFUSE_LINE_TOO_LONG);
		session_end(s, "Disconnected: Input buffer full");
	} else if (rc == IO_ERR || rc == IO_EOF) {
		if (s->phase == SESSION_HANDSHAKE || s->phase == SESSION_FLUSH_FOR_TLS)
			s->tls_error = xstrdup(rc == IO_ERR ? err->msg : "Disconnected");
		session_end(s, "Disconnected: Connection closed");
		if (rc == IO_ERR)
			s->io.is_dead = true;
	}
}

/* Sends what is there and says what to wait for; true when nothing is left to do but to go. */
static bool settle(struct session *s)
{
	struct err err = ERR_INIT;
	enum io_rc rc = s->phase == SESSION_HANDSHAKE || s->io.is_dead ? IO_OK : stream_flush(&s->io, &err);
	unsigned events = stream_events(&s->io);
	int want;

	if (rc == IO_ERR)
		session_end(s, "Disconnected: Connection closed");
	if (s->is_ending && rc != IO_AGAIN)
		return true;
	if (s->is_ending || s->is_pending)
		events &= ~(unsigned)STREAM_READ;
	if (s->is_ending)
		uv_timer_start(&s->timer, on_timeout, LAST_WORDS_MS, 0);
	want = (events & STREAM_READ ? UV_READABLE : 0) | (events & STREAM_WRITE ? UV_WRITABLE : 0);
	if (want == s->watched)
		return false;
	s->watched = (uint8_t)want;
	if (want)
		uv_poll_start(&s->poll, want, on_event);
	else
		uv_poll_stop(&s->poll);
	return false;
}

void session_run(struct session *s)
{
	struct err err = ERR_INIT;
	enum io_rc rc = IO_OK;

	if (s->is_running || s->is_dead)
		return;
	s->is_running = true;
	while (rc == IO_OK && !s->is_pending && !s->is_ending && s->phase != SESSION_RELAY)
		rc = step(s, &err);
	stopped(s, rc, &err);
	s->is_running = false;
	if (s->phase == SESSION_RELAY) {
		if (!s->has_logged_in) {
			s->has_logged_in = true;
			discount(s);
			uv_timer_stop(&s->timer);
		}
		relay_run(s);
		return;
	}
	if (settle(s))
		session_destroy(s);
	else if (!s->is_pending)
		stream_idle(&s->io);
}

static void on_event(uv_poll_t *p, int status, int events)
{
	session_run(p->data);
}
