/* Who is told: the envelope sender, or the owner- address that took its place for a recipient. A notice has the
 * null sender. What fails without anybody to tell is logged, and goes to 2bounce_notice_recipient when
 * notify_classes says 2bounce; such a letter comes from double_bounce_sender, and its failure ends the matter. */
#include "qmgr/bounce.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "proto/dsn.h"
#include "qmgr/expand.h"

#define ORIGINAL_MAX ((size_t)40000)    /* what fits a notice that lives in the database */
#define HEADER_MAX ((size_t)8000)
#define TEXT_MAX ((size_t)500)

struct notice {
	struct active *a;
	struct write_job *job;
	enum dsn_kind kind;
	struct span to;                 /* empty: nobody */
	const char *from;               /* envelope sender of the notice */
	struct str original;
	struct dsn_rcpt *rcpts;
	size_t n;
};

static bool wants(const struct queue_rcpt *r, enum dsn_kind kind)
{
	switch (kind) {
	case DSN_FAILURE:
		return r->notify == 0 || (r->notify & QUEUE_FAILURE);
	case DSN_DELAY:
		return r->notify == 0 || (r->notify & QUEUE_DELAY);
	case DSN_SUCCESS:
		return r->notify & QUEUE_SUCCESS;
	}
	return false;
}

static struct span sender_of(const struct active *a, const struct queue_rcpt *r)
{
	return r->sender.n ? r->sender : a->m.sender;
}

/* ---- the original ---- */

static void read_large(struct active *a, struct str *out)
{
	struct err err = ERR_INIT;
	ssize_t n;
	int fd;

	if (queue_large_open(a->q->queue, a->m.id, &fd, &err) < 0)
		return;                 /* a notice without it is better than none */
	n = pread(fd, str_room(out, ORIGINAL_MAX), ORIGINAL_MAX, 0);
	if (n > 0)
		str_grew(out, (size_t)n);
	close(fd);
}

static void read_original(struct active *a, struct str *out)
{
	struct queue_view v = { 0 };
	struct err err = ERR_INIT;
	struct span body;

	if (a->has_body) {
		(void)!str_add_span(out, span_sub(str_span(&a->body), 0, ORIGINAL_MAX));
	} else if (a->m.large) {
		read_large(a, out);
	} else if (queue_view_begin(a->q->queue, &v, &err) == 0) {
		if (queue_view_body(&v, a->m.id, &body, &err) == QUEUE_FOUND)
			(void)!str_add_span(out, span_sub(body, 0, ORIGINAL_MAX));
		queue_view_end(&v);
	}
}

/* ---- one letter ---- */

/* Full if wanted and it fits, else the header, else its beginning; -1: too many recipients for one letter. */
static int format(struct str *out, struct notice *n, struct dsn_notice *d)
{
	struct active *a = n->a;

	d->full = n->kind == DSN_FAILURE && !(a->m.flags & QUEUE_RET_HDRS) &&
		  a->m.size <= a->q->conf.bounce_size_limit && a->m.size == n->original.n;
	if (d->full && dsn_format(out, d) == 0)
		return 0;
	d->full = false;
	if (dsn_format(out, d) == 0)
		return 0;
	d->original = span_sub(d->original, 0, HEADER_MAX);
	return dsn_format(out, d);
}

static void log_notice(const struct notice *n, uint64_t id, const char *message_id)
{
	static const char *const words[] = { "non-delivery", "delay", "delivery status" };
	char old[QUEUE_ID_LEN + 1], new[QUEUE_ID_LEN + 1];

	queue_id_print(old, n->a->m.id);
	queue_id_print(new, id);
	log_info("%s: message-id=<%s>", new, message_id);
	log_info("%s: %s %s notification: %s", old, n->from[0] ? "postmaster" : "sender", words[n->kind], new);
}

static void put_message(struct notice *n, uint64_t id, struct str *body)
{
	struct arena scratch = { 0 };
	struct queue_msg m = { .id = id, .arrival_ms = clock_wall_ms(), .size = body->n, .sender = span_z(n->from),
			       .flags = QUEUE_BOUNCE | (n->a->m.flags & QUEUE_SMTPUTF8) | QUEUE_8BITMIME,
			       .protocol = SPAN_LIT("local") };
	struct queue_rcpt *r = queue_add_rcpt(&m, &scratch);

	r->addr = r->orig = n->to;
	r->notify = QUEUE_NEVER;
	writer_put(n->job, WRITE_ADD, id, &m, str_span(body));
	writer_own_body(n->job, body);
	arena_fini(&scratch);
}

/* Says how many of the recipients it is about. */
static size_t write_one(struct notice *n, struct dsn_rcpt *rcpts, size_t count)
{
	struct active *a = n->a;
	struct qmgr *q = a->q;
	uint64_t id = queue_new_ids(q->queue, 1), luck;
	struct str body = STR_INIT(QUEUE_INLINE_MAX);
	char old[QUEUE_ID_LEN + 1], name[QUEUE_ID_LEN + 1], boundary[64], message_id[320];
	struct dsn_notice d = {
		.kind = n->kind, .hostname = span_z(q->global.myhostname),
		.from_domain = span_z(q->global.myorigin), .to = n->to,
		.envid = a->m.envid, .now_ms = clock_wall_ms(), .arrival_ms = a->m.arrival_ms,
		.until_ms = a->m.arrival_ms + q->conf.maximal_queue_lifetime_ms,
		.utf8 = a->m.flags & QUEUE_SMTPUTF8, .lf = true, .is_copy = n->from[0] != '\0',
		.original = str_span(&n->original), .rcpts = rcpts,
	};

	queue_id_print(old, a->m.id);
	queue_id_print(name, id);
	random_bytes(&luck, sizeof(luck));
	snprintf(boundary, sizeof(boundary), "%s.%016llx", old, (unsigned long long)luck);
	snprintf(message_id, sizeof(message_id), "%s@%s", name, q->global.myhostname);
	d.queue_id = span_z(old);
	d.boundary = span_z(boundary);
	d.message_id = span_z(message_id);
	for (d.n_rcpts = count; d.n_rcpts > 0 && format(&body, n, &d) < 0; d.n_rcpts /= 2)
		d.original = str_span(&n->original);
	if (d.n_rcpts == 0)
		return count;           /* not even one fits: absurd addresses; it was logged when it failed */
	put_message(n, id, &body);
	log_notice(n, id, message_id);
	return d.n_rcpts;
}

/* ---- who and whom ---- */

static bool is_double_bounce(const struct qmgr *q, struct span sender)
{
	struct span user, domain;

	span_cut(sender, '@', &user, &domain);
	return span_eq_nocase(user, q->global.double_bounce_sender) &&
	       (domain.n == 0 || span_eq_nocase(domain, q->global.myorigin));
}

/* Addresses without a domain get ours. */
static char *at_home(struct active *a, const char *user)
{
	return strchr(user, '@') ? arena_strdup(&a->arena, user) :
				   arena_printf(&a->arena, "%s@%s", user, a->q->global.myorigin);
}

/* False when nobody is told. */
static bool address(struct notice *n, struct span sender)
{
	struct qmgr *q = n->a->q;
	char id[QUEUE_ID_LEN + 1];

	n->to = sender;
	n->from = "";
	if (sender.n && !is_double_bounce(q, sender))
		return true;
	if (n->kind != DSN_FAILURE)
		return false;
	if (sender.n == 0 && conf_list_has(&q->conf.notify_classes, SPAN_LIT("2bounce"))) {
		n->to = span_z(at_home(n->a, q->conf.n2bounce_notice_recipient));
		n->from = at_home(n->a, q->global.double_bounce_sender);
		return true;
	}
	queue_id_print(id, n->a->m.id);
	log_warn("%s: undeliverable postmaster or failure notice discarded", id);
	return false;
}

static enum dsn_action action_of(enum dsn_kind kind, const struct queue_rcpt *r)
{
	static const enum dsn_action sent[] = { DSN_ACT_DELIVERED, DSN_ACT_RELAYED, DSN_ACT_EXPANDED };

	return kind == DSN_FAILURE ? DSN_ACT_FAILED : kind == DSN_DELAY ? DSN_ACT_DELAYED : sent[r->action];
}

static enum queue_state about(enum dsn_kind kind)
{
	return kind == DSN_FAILURE ? QUEUE_FAILED : kind == DSN_DELAY ? QUEUE_WAITING : QUEUE_SENT;
}

/* A command or file goes by the address that names it. */
static struct span name_of(struct active *a, const struct queue_rcpt *r)
{
	struct span holder = expand_holder(&a->m, r, a->q->global.myorigin, &a->arena);

	return holder.n ? holder : queue_rcpt_name(r);
}

/* All recipients of that kind whose sender is that of the first one left; 0 when none is left. seen: told or silent
 * already. */
static size_t gather(struct notice *n, bool *seen, struct span *sender_r)
{
	struct active *a = n->a;
	size_t i;

	n->n = 0;
	for (i = 0; i < a->m.n_rcpts; i++) {
		struct queue_rcpt *r = &a->m.rcpts[i];

		if (seen[i] || r->state != about(n->kind))
			continue;
		if (n->n && !span_eq(sender_of(a, r), *sender_r))
			continue;
		seen[i] = true;
		if (!wants(r, n->kind))
			continue;
		*sender_r = sender_of(a, r);
		n->rcpts[n->n++] = (struct dsn_rcpt){
			.action = action_of(n->kind, r), .addr = name_of(a, r), .orcpt = r->orcpt, .orig = r->orig, .status = r->dsn,
			.text = span_sub(r->text, 0, TEXT_MAX), .mta = r->mta, .last_ms = a->began_ms,
		};
	}
	return n->n;
}

static void close_told(struct active *a, enum dsn_kind kind)
{
	size_t i;

	if (kind == DSN_DELAY) {
		a->m.flags |= QUEUE_WARNED;
		return;
	}
	for (i = 0; i < a->m.n_rcpts; i++) {
		if (a->m.rcpts[i].state == about(kind))
			a->m.rcpts[i].state = QUEUE_CLOSED;
	}
}

static void tell(struct active *a, struct write_job *job, enum dsn_kind kind)
{
	struct notice n = { .a = a, .job = job, .kind = kind, .original = STR_INIT(ORIGINAL_MAX) };
	bool *seen = arena_alloc(&a->arena, a->m.n_rcpts + 1);
	struct span sender = SPAN_NULL;

	n.rcpts = arena_alloc(&a->arena, (a->m.n_rcpts + 1) * sizeof(*n.rcpts));
	while (gather(&n, seen, &sender)) {
		size_t at = 0;

		if (!address(&n, sender))
			continue;
		if (n.original.n == 0)
			read_original(a, &n.original);
		while (at < n.n)
			at += write_one(&n, n.rcpts + at, n.n - at);
	}
	str_fini(&n.original);
	close_told(a, kind);
}

static bool has_state(const struct active *a, enum queue_state state)
{
	size_t i;

	for (i = 0; i < a->m.n_rcpts; i++) {
		if (a->m.rcpts[i].state == state)
			return true;
	}
	return false;
}

void bounce_write(struct active *a, struct write_job *job)
{
	uint64_t warn_ms = a->q->conf.delay_warning_time_ms;

	if (has_state(a, QUEUE_FAILED))
		tell(a, job, DSN_FAILURE);
	if (has_state(a, QUEUE_SENT))
		tell(a, job, DSN_SUCCESS);
	if (warn_ms && !(a->m.flags & (QUEUE_WARNED | QUEUE_BOUNCE)) && clock_wall_ms() >= a->m.arrival_ms + warn_ms &&
	    has_state(a, QUEUE_WAITING))
		tell(a, job, DSN_DELAY);
}
