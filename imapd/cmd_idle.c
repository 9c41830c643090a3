#include "imapd/commands.h"

#include "base/clock.h"
#include "conf/params.h"
#include "imapd/park.h"

#define GATHER_MS 50                    /* after a push, what follows is gathered for so long */
#define SILENT_MS 10                    /* after a look that told nothing, such as at our own renames */
#define QUIET_MS 1000
#define HOUR_MS (3600 * 1000u)
#define DONE_MAX 100                    /* bytes of a line that should be DONE */

/* When the next thing is due, on the clock that never goes back; UINT64_MAX: not at all. */
struct idle {
	uint64_t push_ms;               /* changes may be told again */
	uint64_t look_ms;               /* nobody tells of changes here, so look */
	uint64_t still_ms;              /* a word to the client */
	uint64_t quiet_ms;              /* then rest */
	uint64_t park_ms;               /* then let the process go */
	bool has_change;                /* that waits for push_ms */
};

static uint64_t next_still(const struct session *s, uint64_t now)
{
	return s->conf->imap_idle_notify_interval_ms ? now + s->conf->imap_idle_notify_interval_ms : UINT64_MAX;
}

static void be_quiet(const struct session *s, struct idle *d, uint64_t now)
{
	d->quiet_ms = now + QUIET_MS;
	d->park_ms = s->conf->imap_hibernate_timeout_ms ? now + s->conf->imap_hibernate_timeout_ms : UINT64_MAX;
}

static bool may_park(const struct session *s, const struct idle *d)
{
	return s->is_resting && !d->has_change;
}

static uint64_t until(const struct session *s, const struct idle *d, uint64_t now)
{
	uint64_t at = d->still_ms;

	at = d->look_ms < at ? d->look_ms : at;
	at = d->has_change && d->push_ms < at ? d->push_ms : at;
	at = !s->is_resting && d->quiet_ms < at ? d->quiet_ms : at;
	at = s->is_resting && s->settle_ms < at ? s->settle_ms : at;
	at = may_park(s, d) && d->park_ms < at ? d->park_ms : at;
	at = at > now ? at - now : 0;
	return at < HOUR_MS ? at : HOUR_MS;
}

static int push(struct session *s, struct idle *d, uint64_t now)
{
	d->has_change = false;
	be_quiet(s, d, now);
	s->is_resting = false;
	if (session_sync(s, true) < 0)
		return -1;
	d->push_ms = now + (stream_pending(&s->io) ? GATHER_MS : SILENT_MS);
	return session_flush(s);
}

static int on_time(struct session *s, struct idle *d, struct span tag, uint64_t now)
{
	if (d->has_change && now >= d->push_ms && push(s, d, now) < 0)
		return -1;
	if (now >= d->look_ms) {
		d->look_ms = now + s->conf->mailbox_idle_check_interval_ms;
		if (session_sync(s, true) < 0)
			return -1;
		s->is_resting = false;
		be_quiet(s, d, now);
	}
	if (now >= d->still_ms) {
		d->still_ms = next_still(s, now);
		if (session_putf(s, "* OK Still here\r\n") < 0 || session_flush(s) < 0)
			return -1;
	}
	if (now >= d->quiet_ms)
		session_rest(s);
	if (now < d->park_ms || !may_park(s, d))
		return 0;
	d->park_ms = UINT64_MAX;
	return session_park(s, tag);
}

/* 1: a line came, *is_done_r; 0: not yet; -1: too long. */
static int take_line(struct session *s, bool *is_done_r)
{
	struct span line;

	switch (stream_getline(&s->io, DONE_MAX, &line, NULL)) {
	case IO_OK:
		*is_done_r = span_eq_nocase(line, "DONE");
		return 1;
	case IO_TOOLONG:
		(void)!session_putf(s, "* BYE Too long line in IDLE.\r\n");
		return session_end(s, "Too long line in IDLE");
	default:
		return 0;
	}
}

static int wait_for_done(struct session *s, bool is_watched, struct span tag, bool *is_done_r)
{
	uint64_t now = clock_mono_ms();
	struct idle d = {
		.look_ms = s->box && !is_watched ? now + s->conf->mailbox_idle_check_interval_ms : UINT64_MAX,
		.still_ms = next_still(s, now),
	};

	be_quiet(s, &d, now);
	for (;;) {
		int rc = take_line(s, is_done_r);

		if (rc != 0)
			return rc;
		now = clock_mono_ms();
		switch (session_wait(s, is_watched, until(s, &d, now))) {
		case WAIT_CHANGE:
			d.has_change = watch_take(&s->watch) || d.has_change;
			/* the watcher may have gone: then look now and then */
			if (!s->watch.is_on && d.look_ms == UINT64_MAX)
				d.look_ms = clock_mono_ms();
			break;
		case WAIT_END:
			return -1;
		default:
			break;
		}
		if (on_time(s, &d, tag, clock_mono_ms()) < 0)
			return -1;
	}
}

enum cmd_rc cmd_idle_resume(struct session *s, struct command *c)
{
	bool is_done = false, is_watched = s->box && watch_set(&s->watch, s->box->md.new, s->box->md.cur) == 0;

	/* the watch stands before the look, so nothing falls between them */
	if (session_sync(s, true) < 0 || wait_for_done(s, is_watched, c->tag, &is_done) < 0)
		return CMD_END;
	watch_clear(&s->watch);
	if (!is_done)
		return session_bad(s, c, "Expected DONE.");
	return session_ok(s, c, "Idle completed.");
}

enum cmd_rc cmd_idle(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;

	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	/* the buffer is read on below */
	c->tag = arena_span(&s->tick, c->tag);
	if (session_putf(s, "+ idling\r\n") < 0)
		return CMD_END;
	return cmd_idle_resume(s, c);
}
