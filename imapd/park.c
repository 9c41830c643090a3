#include "imapd/park.h"

#include <string.h>

#include "base/mem.h"
#include "conf/params.h"

IPC_DESC(park_state, PARK_STATE_FIELDS, 0)

#define WORDS_MAX 600u          /* of imap_logout_format; more is cut */

/* ---- giving away ---- */

static bool can_rest(const struct session *s, bool is_idle)
{
	return s->conf->imap_hibernate_timeout_ms && s->watch.fd >= 0 && !s->is_compressed && stream_peek(&s->io).n == 0 &&
	       stream_pending(&s->io) == 0 && (!is_idle || !s->box || s->watch.is_on);
}

static int send_state(struct session *s, const struct park_state *st, const struct pair_park *head)
{
	struct str state = STR_INIT(PAIR_MAX), words = STR_INIT(4096);
	struct pair_park park = *head;
	int rc = ipc_encode(&state, &park_state_desc, st);

	session_add_statistics(s, &words);
	park.words_n = words.n < WORDS_MAX ? words.n : WORDS_MAX;
	if (rc == 0)
		rc = watch_park(&s->watch, s->io.fd, &park, span_sub(str_span(&words), 0, WORDS_MAX), str_span(&state));
	str_fini(&words);
	str_fini(&state);
	return rc;
}

int session_park(struct session *s, struct span tag)
{
	struct pair_park head = { .wake_ms = UINT64_MAX };
	struct mailbox_place at = { 0 };
	struct park_state st = {
		.tag = tag, .silent_ms = s->silent_ms, .enabled = s->enabled, .n_bad = s->n_bad,
		.counts = { (const char *)&s->counts, sizeof(s->counts) },
		.saved = { (const char *)s->saved.ranges, s->saved.n * sizeof(*s->saved.ranges) },
	};

	if (!can_rest(s, tag.n > 0) || (s->box && !mailbox_place(s->box, &at)))
		return 0;
	if (s->box) {
		st.place = (struct span){ (const char *)&at, sizeof(at) };
		st.folder = span_z(s->folder);
		st.is_read_only = s->box->is_read_only;
	}
	if (tag.n)
		head.still_ms = s->conf->imap_idle_notify_interval_ms;
	else
		head.wake_ms = s->silent_ms + s->conf->imap_idle_timeout_ms;
	return send_state(s, &st, &head) < 0 ? 0 : session_end(s, SESSION_PARKED);
}

bool session_is_parked(const struct session *s)
{
	return s->reason && strcmp(s->reason, SESSION_PARKED) == 0;
}

/* ---- going on ---- */

static int open_folder(struct session *s, const struct park_state *st, struct err *err)
{
	struct mailbox_place at;
	int rc;

	if (st->place.n != sizeof(at))
		return 0;
	memcpy(&at, st->place.p, sizeof(at));
	rc = mailbox_resume(&s->box, &s->store, folder_dir(&s->tick, st->folder), st->is_read_only ? MAILBOX_READ_ONLY : 0, &at,
			    err);
	if (rc <= 0)
		return rc;
	s->folder = xstrndup(st->folder.p, st->folder.n);
	s->state = SESSION_SELECTED;
	return 1;
}

/* Up to the first range that no session writes. */
static void take_saved(struct session *s, struct span saved)
{
	struct imap_seqset_range r;
	uint32_t last = 0;

	for (; saved.n >= sizeof(r); saved = span_from(saved, sizeof(r)), last = r.hi) {
		memcpy(&r, saved.p, sizeof(r));
		if (r.lo <= last || r.hi < r.lo)
			return;
		imap_seqset_add(&s->saved, &s->saved_arena, r.lo, r.hi);
	}
}

int session_unpark(struct session *s, struct span state, struct span *idle_r)
{
	struct err err = ERR_INIT;
	const struct park_state *st = ipc_decode(&park_state_desc, state, &s->tick, &err);
	int rc = 1;

	if (st) {
		s->silent_ms = st->silent_ms;
		s->enabled = (unsigned)st->enabled;
		s->n_bad = (unsigned)st->n_bad;
		if (st->counts.n == sizeof(s->counts))
			memcpy(&s->counts, st->counts.p, sizeof(s->counts));
		take_saved(s, st->saved);
		*idle_r = st->tag;
		rc = st->place.n ? open_folder(s, st, &err) : 1;
	}
	if (st && rc > 0)
		return 0;
	if (!st || rc < 0)
		session_log_error(s, &err);
	return session_lost(s);
}
