#include "imapd/watch.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define ANSWER_MS 1000

void watch_init(struct watch *w, int fd)
{
	*w = (struct watch){ .fd = fd };
}

static void lose(struct watch *w)
{
	close(w->fd);
	w->fd = -1;
	w->is_on = false;
	w->is_due = true;
}

static int send_msg(struct watch *w, uint32_t kind, const int fds[2], struct span behind)
{
	struct pair_msg m = { kind, kind == PAIR_PARK ? w->n_changes : ++w->number };

	return w->fd < 0 ? -1 : pair_send(w->fd, &m, fds, behind);
}

/* One message: its kind, or 0 when none is there. Events are remembered. A descriptor that comes along is *fd_r. */
static uint32_t take(struct watch *w, uint32_t *number_r, int *fd_r, struct span *behind_r, char buf[PAIR_MAX])
{
	struct pair_msg m = { 0 };
	int fds[2] = { -1, -1 };
	size_t n = 0;
	int rc = w->fd < 0 ? 0 : pair_receive(w->fd, &m, fds, buf, &n);

	if (rc < 0)
		lose(w);
	if (rc <= 0)
		return 0;
	w->is_due |= m.kind == PAIR_CHANGE;
	w->n_changes = m.kind == PAIR_CHANGE ? m.number : w->n_changes;
	*number_r = m.number;
	*behind_r = (struct span){ buf, n };
	*fd_r = fds[0];
	return m.kind;
}

/* The same, but no session can come now. */
static uint32_t take_word(struct watch *w, uint32_t *number_r)
{
	char buf[PAIR_MAX];
	struct span ignored;
	int fd = -1;
	uint32_t kind = take(w, number_r, &fd, &ignored, buf);

	if (fd >= 0)
		close(fd);
	return kind;
}

int watch_set(struct watch *w, int new_fd, int cur_fd)
{
	uint64_t now = clock_mono_ms(), deadline = now + ANSWER_MS;
	uint32_t number = 0, kind;

	w->is_on = false;
	w->n_changes = 0;
	if (send_msg(w, PAIR_WATCH, (int[2]){ new_fd, cur_fd }, SPAN_NULL) < 0)
		return -1;
	while (w->fd >= 0 && now < deadline) {
		struct pollfd p = { w->fd, POLLIN, 0 };

		kind = take_word(w, &number);
		if ((kind == PAIR_ON || kind == PAIR_OFF) && number == w->number) {
			w->is_on = kind == PAIR_ON;
			return w->is_on ? 0 : -1;
		}
		if (kind == 0 && w->fd >= 0)
			(void)!poll(&p, 1, (int)(deadline - now));
		now = clock_mono_ms();
	}
	return -1;
}

void watch_clear(struct watch *w)
{
	if (w->is_on)
		(void)!send_msg(w, PAIR_UNWATCH, NULL, SPAN_NULL);
	w->is_on = false;
}

bool watch_take(struct watch *w)
{
	uint32_t ignored;
	bool is_due;

	while (take_word(w, &ignored))
		;
	is_due = w->is_due;
	w->is_due = false;
	return is_due;
}

int watch_park(struct watch *w, int client, const struct pair_park *park, struct span words, struct span state)
{
	struct str behind = STR_INIT(PAIR_MAX);
	int rc = str_add(&behind, (const char *)park, sizeof(*park));

	if (rc == 0)
		rc = str_add_span(&behind, words);
	if (rc == 0)
		rc = str_add_span(&behind, state);
	if (rc == 0)
		rc = send_msg(w, PAIR_PARK, (int[2]){ client, -1 }, str_span(&behind));
	str_fini(&behind);
	/* what was watched is the parent's from here on */
	w->is_on = w->is_on && rc < 0;
	return rc;
}

int watch_done(struct watch *w)
{
	return send_msg(w, PAIR_DONE, NULL, SPAN_NULL);
}

int watch_next(struct watch *w, uint64_t ms, int *client_r, struct span *begin_r, char buf[PAIR_MAX])
{
	struct pollfd p = { w->fd, POLLIN, 0 };
	uint32_t number;
	int n = poll(&p, 1, (int)ms);

	if (n == 0)
		return 0;
	*client_r = -1;
	/* what else comes is of the session that is over */
	while (w->fd >= 0) {
		uint32_t kind = take(w, &number, client_r, begin_r, buf);

		if (kind == PAIR_BEGIN && *client_r >= 0)
			return 1;
		if (kind == 0)
			return n < 0 || w->fd < 0 ? -1 : 0;
	}
	return -1;
}

void watch_refuse(struct watch *w, int client, struct span state)
{
	(void)!send_msg(w, PAIR_REFUSE, (int[2]){ client, -1 }, state);
}
