/* The sessions of a parent and the processes that serve them; surat who and kick. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "svc/session_parent.h"

#define CRASHED_MAX 10000       /* Maildirs that are remembered as suspect */
#define PAGE 100                /* sessions in an answer to surat who: fits a frame */
#define FIELD_MAX 320           /* of a name or an address in it */
#define WHO_CHUNK 256
#define LEAVING_MS 60000u

/* ---- how many of a user ---- */

struct count {
	uint64_t n;
};

static struct count *count_of(const struct session_parent *p, const struct child_start *start, struct str *key)
{
	str_reset(key);
	(void)str_addf(key, "%s\n%s", start->user, start->remote);
	return htab_get(&p->per_user, str_span(key));
}

static void count_one(struct session_parent *p, const struct child_start *start)
{
	struct str key = STR_INIT(4096);
	struct count *c = count_of(p, start, &key);

	if (!c) {
		c = xnew(struct count);
		htab_put(&p->per_user, str_span(&key), c);
	}
	c->n++;
	str_fini(&key);
}

static void discount(struct session_parent *p, const struct child_start *start)
{
	struct str key = STR_INIT(4096);
	struct count *c = count_of(p, start, &key);

	if (c && --c->n == 0) {
		htab_del(&p->per_user, str_span(&key));
		free(c);
	}
	str_fini(&key);
}

bool session_parent_is_full(const struct session_parent *p, const struct child_start *start)
{
	struct str key = STR_INIT(4096);
	const struct count *c = count_of(p, start, &key);

	str_fini(&key);
	return p->max_per_user && c && c->n >= p->max_per_user;
}

/* ---- sessions ---- */

struct parent_session *session_parent_begin(struct session_parent *p, const struct child_start *start, struct arena *arena)
{
	struct parent_session *s = xnew(struct parent_session);

	s->start = *start;
	s->arena = *arena;
	*arena = (struct arena){ 0 };
	s->number = ++p->n_begun;
	s->since_ms = clock_wall_ms();
	s->next = p->sessions;
	p->sessions = s;
	p->n_sessions++;
	count_one(p, start);
	return s;
}

void session_parent_end(struct session_parent *p, struct parent_session *s)
{
	struct parent_session **at = &p->sessions;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	p->n_sessions--;
	discount(p, &s->start);
	if (s->process)
		s->process->session = NULL;
	arena_fini(&s->arena);
	free(s);
}

int session_parent_serve(struct session_parent *p, struct parent_session *s, int fd, struct err *err)
{
	struct child_start *st = &s->start;

	st->had_crash = htab_del(&p->crashed, span_z(st->mail)) != NULL;
	st->changes_user = p->is_root;
	st->is_sandboxed = p->is_sandboxed;
	st->calls = p->calls;
	st->log_tag = p->log_tag;
	st->conf = p->conf;
	return p->kind->spawn(p, s, fd, err);
}

const char *session_parent_label(const struct session_parent *p, const struct parent_session *s, struct str *out)
{
	str_reset(out);
	(void)str_addf(out, "%s(%s)<%d><%s>", p->kind->service, s->start.user, (int)(s->process ? s->process->pid : getpid()),
		       s->start.session);
	return out->p;
}

/* ---- processes ---- */

static void copy_user(struct session_process *pr, const struct child_start *from)
{
	struct arena *a = &pr->arena;

	arena_init(a, WHO_CHUNK);
	pr->who = (struct child_start){
		.user = arena_strdup(a, from->user), .system_user = arena_strdup(a, from->system_user),
		.home = arena_strdup(a, from->home), .mail = arena_strdup(a, from->mail), .index = arena_strdup(a, from->index),
		.uid = from->uid, .gid = from->gid, .quota = from->quota,
		.quota_messages = from->quota_messages,
	};
}

struct session_process *session_parent_adopt(struct session_parent *p, struct parent_session *s, pid_t pid)
{
	struct session_process *pr = xnew(struct session_process);

	pr->pid = pid;
	pr->session = s;
	s->process = pr;
	copy_user(pr, &s->start);
	pr->next = p->processes;
	p->processes = pr;
	return pr;
}

static void log_death(struct session_parent *p, const struct session_process *pr, int sig)
{
	struct str name = STR_INIT(2000);

	if (pr->session)
		(void)session_parent_label(p, pr->session, &name);
	else
		(void)str_addf(&name, "%s(%s)<%d>", p->kind->service, pr->who.user, (int)pr->pid);
	log_error("%s: killed by signal %d (%s)", name.p, sig, strsignal(sig));
	str_fini(&name);
	if (p->crashed.n < CRASHED_MAX)
		htab_put(&p->crashed, span_z(pr->who.mail), p);
}

void session_parent_reap(struct session_parent *p, pid_t pid, int status)
{
	struct session_process **at = &p->processes, *pr;

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	pr = *at;
	if (!pr)
		return;
	*at = pr->next;
	if (WIFSIGNALED(status))
		log_death(p, pr, WTERMSIG(status));
	if (p->kind->reaped)
		p->kind->reaped(p, pr);
	if (pr->session)
		session_parent_end(p, pr->session);
	arena_fini(&pr->arena);
	free(pr);
	session_parent_check_empty(p);
}

static void on_sweep(uv_timer_t *t)
{
	session_parent_sweep(t->data);
}

void session_parent_dismiss(struct session_parent *p, struct session_process *pr)
{
	pr->leave_by_ms = clock_mono_ms() + LEAVING_MS;
	if (!uv_is_active((uv_handle_t *)&p->sweep))
		uv_timer_start(&p->sweep, on_sweep, LEAVING_MS, 0);
}

void session_parent_sweep(struct session_parent *p)
{
	uint64_t now = clock_mono_ms();
	struct session_process *pr;
	bool is_empty = true;

	for (pr = p->processes; pr; pr = pr->next) {
		if (!pr->leave_by_ms)
			continue;
		is_empty = false;
		if (now < pr->leave_by_ms)
			continue;
		log_error("%s(%s)<%d>: does not leave: killed", p->kind->service, pr->who.user, (int)pr->pid);
		(void)!kill(pr->pid, SIGKILL);
	}
	if (!is_empty)
		uv_timer_start(&p->sweep, on_sweep, LEAVING_MS, 0);
}

void session_parent_check_empty(struct session_parent *p)
{
	if (p->is_draining && !p->sessions && !p->processes && !p->requests && p->on_empty)
		p->on_empty(p->on_empty_arg);
}

/* ---- surat who and kick ---- */

static int by_number(const void *a, const void *b)
{
	const struct parent_session *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

static bool is_meant(const struct ctl_who *ask, const struct parent_session *s)
{
	return s->number > ask->after && (ask->match.n == 0 || span_eqz(ask->match, s->start.user) ||
					  span_eqz(ask->match, s->start.session));
}

static void kick(struct session_parent *p, struct parent_session *s)
{
	struct str name = STR_INIT(2000);

	/* the client is told by a process of its own */
	if (!s->process && p->kind->wake(p, s) < 0)
		return;
	s->is_kicked = true;
	log_info("%s: kicked by the administrator", session_parent_label(p, s, &name));
	str_fini(&name);
	if (kill(s->process->pid, SIGTERM) < 0)
		log_error("cannot end process %d: %m", (int)s->process->pid);
}

void session_parent_who(struct session_parent *p, const struct ctl_who *ask, struct ctl_who_reply *r, struct arena *a)
{
	struct parent_session *s, **v = arena_alloc(a, (p->n_sessions + 1) * sizeof(*v));
	struct ctl_session *out = arena_alloc(a, PAGE * sizeof(*out));
	size_t i, n = 0;

	for (s = p->sessions; s; s = s->next) {
		if (is_meant(ask, s))
			v[n++] = s;
	}
	qsort(v, n, sizeof(*v), by_number);
	r->has_more = n > PAGE;
	r->sessions = (struct ipc_list){ out, n < PAGE ? n : PAGE };
	for (i = 0; i < r->sessions.n; i++) {
		const struct child_start *st = &v[i]->start;

		out[i] = (struct ctl_session){
			.user = span_sub(span_z(st->user), 0, FIELD_MAX), .service = span_z(p->kind->service),
			.pid = v[i]->process ? (uint64_t)v[i]->process->pid : 0, .number = v[i]->number,
			.remote_addr = span_sub(span_z(st->remote), 0, FIELD_MAX),
			.session = span_sub(span_z(st->session), 0, FIELD_MAX), .since = v[i]->since_ms / 1000,
		};
		if (ask->is_kick)
			kick(p, v[i]);
	}
}
