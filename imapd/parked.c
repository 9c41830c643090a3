#include "imapd/parked.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define DAY_MS (24 * 3600 * 1000u)
#define STILL_MIN_MS 1000

struct parked {
	struct parking *pk;
	LIST_ENTRY(parked) link;
	struct parent_session *s;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	uint8_t n_handles;
	bool is_due;                    /* something has changed in the folder */
	struct notify_watch *watch;
	uint64_t wake_ms, still_ms, next_still_ms;
	size_t words_n, n;
	char bytes[];                   /* words, then the state */
};

/* ---- the end of its rest ---- */

static void on_closed(uv_handle_t *h)
{
	struct parked *p = h->data;

	if (--p->n_handles > 0)
		return;
	pair_give_back(p->fd);
	free(p);
}

static void end(struct parked *p)
{
	notify_end(&p->watch);
	LIST_REMOVE(p, link);
	p->pk->n--;
	uv_close((uv_handle_t *)&p->poll, on_closed);
	uv_close((uv_handle_t *)&p->timer, on_closed);
}

static struct span state_of(const struct parked *p)
{
	return (struct span){ p->bytes + p->words_n, p->n - p->words_n };
}

/* The session is over; why is for the log. */
static void end_session(struct parked *p, const char *why)
{
	struct session_parent *parent = p->pk->parent;
	struct parent_session *s = p->s;
	struct str name = STR_INIT(2000);

	log_info("%s: Disconnected: %s %.*s", session_parent_label(parent, s, &name), why, (int)p->words_n, p->bytes);
	str_fini(&name);
	end(p);
	session_parent_end(parent, s);
	session_parent_check_empty(parent);
}

static int wake(struct parked *p)
{
	struct parent_session *s = p->s;
	struct err err = ERR_INIT;
	int rc;

	s->start.input = SPAN_NULL;
	s->start.state = state_of(p);
	rc = session_parent_serve(p->pk->parent, s, p->fd, &err);
	s->start.state = SPAN_NULL;
	if (rc < 0) {
		log_error("%s", err.msg);
		end_session(p, "no process for the session");
		return -1;
	}
	s->parked = NULL;
	end(p);
	return 0;
}

int parking_wake(struct parking *pk, struct parent_session *s)
{
	return s->parked ? wake(s->parked) : -1;
}

/* ---- its rest ---- */

/* 1: it was taken; 0: not a byte of it; -1: a part, and nothing can be said any more. */
static int say(const struct parked *p, const char *line)
{
	ssize_t len = (ssize_t)strlen(line), n = send(p->fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == len ? 1 : n > 0 ? -1 : 0;
}

static void say_bye(struct parked *p)
{
	(void)!say(p, "* BYE [UNAVAILABLE] Disconnected by the server.\r\n");
	end_session(p, "Disconnected by the server");
}

static void on_timer(uv_timer_t *t);

static void arm(struct parked *p, uint64_t now)
{
	uint64_t at = p->wake_ms < p->next_still_ms ? p->wake_ms : p->next_still_ms;

	at = at > now ? at - now : 0;
	uv_timer_start(&p->timer, on_timer, at < DAY_MS ? at : DAY_MS, 0);
}

static void on_timer(uv_timer_t *t)
{
	struct parked *p = t->data;
	uint64_t now = clock_mono_ms();
	int said = 1;

	if (!p->is_due && now < p->wake_ms && now >= p->next_still_ms) {
		said = say(p, "* OK Still here\r\n");
		p->next_still_ms = now + p->still_ms;
	}
	/* a client that does not take these few bytes is the business of a process */
	if (said < 0)
		end_session(p, "Client does not read");
	else if (p->is_due || now >= p->wake_ms || said == 0)
		(void)!wake(p);
	else
		arm(p, now);
}

/* Forks happen in a turn of their own: the walk over all watches goes on behind this. */
static void on_change(void *arg)
{
	struct parked *p = arg;

	p->is_due = true;
	uv_timer_start(&p->timer, on_timer, 0, 0);
}

static void on_client(uv_poll_t *h, int status, int events)
{
	struct parked *p = h->data;
	int n = 0;

	if ((events & UV_DISCONNECT) && ioctl(p->fd, FIONREAD, &n) == 0 && n == 0)
		end_session(p, "Connection closed");
	else
		(void)!wake(p);
}

/* A child may say anything. */
static uint64_t still_interval(uint64_t ms)
{
	if (ms == 0)
		return 0;
	return ms < STILL_MIN_MS ? STILL_MIN_MS : ms < DAY_MS ? ms : DAY_MS;
}

void parking_take(void *arg, struct parent_session *s, const struct worker_park *left)
{
	struct parking *pk = arg;
	uint64_t now = clock_mono_ms();
	struct parked *p = xcalloc(1, sizeof(*p) + left->words.n + left->state.n);

	p->pk = pk;
	p->s = s;
	s->parked = p;
	p->fd = left->client;
	p->watch = left->watch;
	if (p->watch)
		notify_give(p->watch, on_change, p);
	p->wake_ms = left->head.wake_ms;
	p->still_ms = still_interval(left->head.still_ms);
	p->next_still_ms = p->still_ms ? now + p->still_ms : UINT64_MAX;
	p->words_n = left->words.n;
	p->n = left->words.n + left->state.n;
	memcpy(p->bytes, left->words.p, left->words.n);
	memcpy(p->bytes + left->words.n, left->state.p, left->state.n);
	LIST_INSERT_HEAD(&pk->list, p, link);
	pk->n++;
	p->n_handles = 2;
	p->poll.data = p->timer.data = p;
	uv_timer_init(&pk->parent->loop->uv, &p->timer);
	BUG(uv_poll_init(&pk->parent->loop->uv, &p->poll, p->fd) != 0);
	uv_poll_start(&p->poll, UV_READABLE | UV_DISCONNECT, on_client);
	if (left->is_due)
		on_change(p);
	else
		arm(p, now);
	if (pk->parent->is_draining || s->is_kicked)
		say_bye(p);
}

/* ---- all of them ---- */

void parking_init(struct parking *pk, struct session_parent *p)
{
	*pk = (struct parking){ .parent = p };
}

void parking_close(struct parking *pk)
{
	while (!LIST_EMPTY(&pk->list))
		say_bye(LIST_FIRST(&pk->list));
}
