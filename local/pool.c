#include "local/pool.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/sandbox.h"
#include "local/command.h"
#include "local/forward.h"
#include "local/serve.h"
#include "svc/daemon_log.h"
#include "svc/msg_queue.h"

#define CHILD_FD 5
#define SILENT_MS 300000u       /* a process with work that says nothing so long is stopped or hangs */
#define RCPTS_BYTES 12000       /* of recipients in one frame beside a body of IPC_BODY_MAX */

#define NEWS_MAX 100000         /* members of a .forward or list; qmgr has its own limit */

/* A recipient that a process has not answered for yet. */
struct item {
	struct item *next;
	struct job *job;
	size_t slot;
	struct ipc_list news;           /* of a result that comes in parts, what has come; in the job's arena */
};

struct pool_worker {
	struct pool_worker *next;
	struct pool *pool;
	struct ipc c;
	pid_t pid;
	char *key;
	bool is_command, is_stale;
	bool is_answering;              /* inside on_result: not to be freed */
	bool is_killed;                 /* it has been silent for too long */
	struct item *items;
	uint64_t idle_since_ms;         /* the last answer, or the first work since it was idle */
};

static void start_waiting(struct pool *p);

/* ---- in the child ---- */

static void add_path(struct sandbox_path *v, size_t *n, const char *path, unsigned access)
{
	if (path && path[0] == '/')
		v[(*n)++] = (struct sandbox_path){ path, access };
}

/* Folders outside of the home that forward_path looks into. */
static void add_forward_paths(const struct settings *s, const struct target *t, struct arena *a, struct sandbox_path *v,
			      size_t *n, size_t max)
{
	struct child_rcpt r = { .home = span_z(t->home), .user = span_z(t->user) };
	struct conf_list paths = forward_paths(s, &r, a);

	for (size_t i = 0; i < paths.n && *n < max; i++) {
		char *dir = arena_strdup(a, paths.v[i]), *slash = strrchr(dir, '/');

		if (strncmp(dir, t->home, strlen(t->home)) == 0 || slash == dir)
			continue;
		*slash = '\0';
		add_path(v, n, dir, SB_READ);
	}
}

static int give_up_rights(const struct settings *s, const struct target *t, struct arena *a, struct err *err)
{
	struct sandbox_path paths[16];
	struct sandbox sb = { .may = SB_OPEN | SB_CHANGE_FILES, .paths = paths };

	if (s->is_root && sandbox_become(t->uid, t->gid, t->user[0] ? t->user : NULL, err) < 0)
		return -1;
	if (t->what == CHILD_COMMAND || !s->global.sandbox)
		return 0;
	if (t->what == CHILD_USER || t->what == CHILD_BOX)
		add_path(paths, &sb.n_paths, t->home, SB_READ | SB_WRITE);
	add_path(paths, &sb.n_paths, t->base, SB_READ | SB_WRITE);
	add_path(paths, &sb.n_paths, t->link, SB_READ | SB_WRITE);
	if (t->what == CHILD_USER)
		add_forward_paths(s, t, a, paths, &sb.n_paths, ARRAY_LEN(paths));
	return sandbox_apply(&sb, NULL, err);
}

static NORETURN void run_child(struct pool *p, const struct target *t, int fd)
{
	const struct command_user u = { t->user, t->home, t->shell };
	struct arena a = { 0 };
	struct err err = ERR_INIT;

	daemon_child(p->daemon, "local", SIG_DFL);
	if (dup2(fd, CHILD_FD) < 0)
		_exit(1);
	close(3);
	closefrom(CHILD_FD + 1);
	if (give_up_rights(p->settings, t, &a, &err) < 0) {
		log_error("cannot become user %s (uid %u): %s", t->user, (unsigned)t->uid, err.msg);
		daemon_log_flush();
		_exit(1);
	}
	if (t->what == CHILD_COMMAND)
		command_run(p->settings, &u, CHILD_FD);
	else
		serve_run(p->settings, CHILD_FD);
	daemon_log_flush();
	_exit(0);
}

/* ---- answers ---- */

static void free_worker(struct pool_worker *w)
{
	struct pool_worker **at = &w->pool->workers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->pool->n_workers--;
	free(w->key);
	free(w);
}

static void leave(struct pool_worker *w)
{
	ipc_close(&w->c);
	free_worker(w);
}

static struct item *take_item(struct pool_worker *w, uint64_t id, uint64_t slot)
{
	for (struct item **at = &w->items; *at; at = &(*at)->next) {
		struct item *it = *at;

		if (it->job->id == id && it->slot == slot) {
			*at = it->next;
			return it;
		}
	}
	return NULL;
}

static void put_back(struct pool_worker *w, struct item *it)
{
	it->next = w->items;
	w->items = it;
}

/* What on_dest of forward.c refuses, a process that is no longer what it was may still say. */
static bool may_name(const struct settings *s, const struct target *t, const struct ipc_list *news)
{
	struct span source = t->what == CHILD_USER ? SPAN_LIT("forward") : SPAN_LIT("include");
	bool has_list = t->what == CHILD_USER || t->what == CHILD_INCLUDE;
	const struct route_new *v = news->v;

	for (size_t i = 0; i < news->n; i++) {
		if (v[i].kind != RCPT_ADDRESS && (!has_list || !settings_may_name(s, source, v[i].kind)))
			return false;
	}
	return true;
}

/* A user's process names its own rights for commands and files, and no transports. */
static void keep_to_own(struct ipc_list news, const char *user)
{
	for (size_t i = 0; i < news.n; i++) {
		struct route_new *v = (struct route_new *)news.v + i;

		v->as_user = v->kind == RCPT_ADDRESS ? SPAN_NULL : span_z(user);
		if (v->kind != RCPT_ADDRESS || !span_starts(v->via, "error:"))     /* it may return the letter, no more */
			v->via = SPAN_NULL;
	}
}

static void on_child_result(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct pool_worker *w = arg;
	const struct child_result *m = in;
	struct item *it = take_item(w, m->id, m->slot);
	struct dlv_rcpt_result res = {
		.status = m->status, .dsn = m->dsn, .text = m->text, .is_lazy = m->is_lazy, .news = m->news
	};
	struct pool *p = w->pool;

	/* A child is a user's process: it answers for what it was given and in words that exist, or not at all. */
	if (!it || m->status > DLV_EXPANDED) {
		log_warn("delivery process %d answers what it was not asked", (int)w->pid);
		if (it)
			put_back(w, it);
		return;
	}
	w->idle_since_ms = clock_mono_ms();
	if (!may_name(p->settings, &it->job->rcpts[it->slot].target, &m->news)) {
		log_warn("delivery process %d names commands or files that it may not", (int)w->pid);
		res = (struct dlv_rcpt_result){ .status = DLV_DEFERRED, .dsn = SPAN_LIT("4.3.0"),
						.text = SPAN_LIT("delivery process names what it may not") };
		p->on_result(it->job, it->slot, &res, POOL_DONE);
		free(it);
		return;
	}
	keep_to_own(m->news, it->job->rcpts[it->slot].target.user);
	if (m->more || it->news.n) {
		msg_resolve_gather(&it->news, &m->news, &it->job->arena);
		res.news = it->news;
	}
	if (m->more && it->news.n <= NEWS_MAX) {
		put_back(w, it);
		return;
	}
	if (m->more)
		res = (struct dlv_rcpt_result){ .status = DLV_DEFERRED, .dsn = SPAN_LIT("4.6.0"),
						.text = SPAN_LIT("the list has too many members") };
	w->is_answering = true;
	p->on_result(it->job, it->slot, &res, m->wants_command ? POOL_COMMAND : POOL_DONE);
	w->is_answering = false;
	free(it);
	if (!w->items && (w->is_stale || w->is_command || p->waiting)) {
		leave(w);
		start_waiting(p);
	}
}

static void fail_items(struct pool *p, struct item *it, enum pool_word word, const char *text)
{
	const struct dlv_rcpt_result res = { .status = DLV_DEFERRED, .dsn = SPAN_LIT("4.3.0"), .text = span_z(text) };

	while (it) {
		struct item *next = it->next;

		p->on_result(it->job, it->slot, &res, word);
		free(it);
		it = next;
	}
}

static void on_child_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct pool_worker *w = arg;
	struct pool *p = w->pool;
	struct item *items = w->items;
	bool was_killed = w->is_killed;

	if (why->kind != ERR_NONE)
		log_warn("delivery process %d: %s", (int)w->pid, why->msg);
	free_worker(w);
	fail_items(p, items, was_killed ? POOL_DONE : POOL_DIED,
		   was_killed ? "delivery process hangs" : "delivery process died");
	start_waiting(p);
}

static const struct ipc_rule rules[] = { { &child_result_desc, ~0u, on_child_result } };
static const struct ipc_ops ops = { "delivery", rules, ARRAY_LEN(rules), on_child_lost, NULL };

/* ---- sending work ---- */

static struct pool_worker *spawn(struct pool *p, const struct target *t, struct err *err)
{
	struct pool_worker *w;
	int sv[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0) {
		err_sys(err, "cannot make a channel for a delivery process");
		return NULL;
	}
	pid = daemon_fork();
	if (pid == 0)
		run_child(p, t, sv[1]);
	close(sv[1]);
	if (pid < 0) {
		err_sys(err, "cannot fork a delivery process");
		close(sv[0]);
		return NULL;
	}
	w = xnew(struct pool_worker);
	w->pool = p;
	w->pid = pid;
	w->key = xstrdup(t->key);
	w->is_command = t->what == CHILD_COMMAND;
	w->idle_since_ms = clock_mono_ms();
	ipc_init(&w->c, &p->daemon->loop, &ops, w);
	ipc_attach(&w->c, &sv[0]);
	w->next = p->workers;
	p->workers = w;
	p->n_workers++;
	return w;
}

/* As in Postfix .forward+news is for user+News too. */
static struct span lower(struct arena *a, struct span s)
{
	struct span out = arena_span(a, s);
	char *p = (char *)(uintptr_t)out.p;

	for (size_t i = 0; i < out.n; i++)
		p[i] = (char)tolower((unsigned char)p[i]);
	return out;
}

static struct child_rcpt to_child(struct pool_work *w, size_t slot)
{
	const struct dlv_rcpt *r = (const struct dlv_rcpt *)w->job->m->rcpts.v + slot;
	const struct target *t = &w->job->rcpts[slot].target;

	return (struct child_rcpt){
		.slot = slot,
		.index = r->index,
		.what = t->what,
		.address = t->address,
		.delivered = job_delivered(w->job, slot),
		.orig = r->orig,
		.user = span_z(t->user),
		.extension = lower(&w->job->arena, r->extension),
		.home = span_z(t->home ? t->home : ""),
		.base = span_z(t->base),
		.path = span_z(t->path),
		.quota_bytes = t->quota_bytes,
		.quota_count = t->quota_count,
		.chain = r->delivered_to,
		.has_command = t->mailbox_command.n > 0 || t->mailbox_transport.n > 0,
		.holder = r->holder,
	};
}

static size_t rcpt_bytes(const struct child_rcpt *r)
{
	return 160 + r->address.n + r->delivered.n + r->orig.n + r->user.n + r->extension.n + r->home.n + r->base.n +
	       r->path.n + r->chain.n + r->holder.n;
}

/* Sends slots from *at on, as many as one frame holds; -1 when the channel does not take it. */
static int send_some(struct pool_worker *to, struct pool_work *w, size_t *at)
{
	const struct dlv_job *m = w->job->m;
	struct child_rcpt *v = xcalloc(w->n, sizeof(*v));
	struct child_job job = { .id = w->job->id,
				 .qid = span_z(w->job->qid),
				 .sender = m->sender,
				 .arrival_ms = m->arrival_ms,
				 .retry = w->job->retry,
				 .size = m->size,
				 .rcpts = { v, 0 },
				 .body = m->body };
	int fd = w->job->fd >= 0 ? dup(w->job->fd) : -1, rc = 0;
	size_t bytes = 0;

	while (*at < w->n && (bytes < RCPTS_BYTES || job.rcpts.n == 0)) {
		struct item *it = xnew(struct item);

		v[job.rcpts.n] = to_child(w, w->slots[*at]);
		bytes += rcpt_bytes(&v[job.rcpts.n++]);
		*it = (struct item){ to->items, w->job, w->slots[(*at)++] };
		to->items = it;
	}
	if (w->job->fd >= 0 && fd < 0)
		rc = -1;
	else
		rc = ipc_send(&to->c, &child_job_desc, &job, fd >= 0 ? &fd : NULL);
	free(v);
	return rc;
}

static void send_work(struct pool *p, struct pool_worker *to, struct pool_work *w)
{
	size_t at = 0, n = w->n;        /* w goes with its job when the last slot is answered */

	if (!to->items)
		to->idle_since_ms = clock_mono_ms();
	while (at < n) {
		struct item *before = to->items;

		if (send_some(to, w, &at) == 0)
			continue;
		/* What this frame would have held fails; the list is newest first. */
		while (to->items != before) {
			struct item *it = to->items;

			to->items = it->next;
			it->next = NULL;
			fail_items(p, it, POOL_DONE, "delivery process does not keep up");
		}
	}
}

static struct pool_worker *find_worker(struct pool *p, const char *key)
{
	for (struct pool_worker *w = p->workers; w; w = w->next)
		if (!w->is_command && !w->is_stale && strcmp(w->key, key) == 0)
			return w;
	return NULL;
}

static bool evict_idle(struct pool *p)
{
	for (struct pool_worker *w = p->workers; w; w = w->next)
		if (!w->items && !w->is_answering) {
			leave(w);
			return true;
		}
	return false;
}

static void fail_work(struct pool *p, const struct pool_work *w, const char *text)
{
	const struct dlv_rcpt_result res = { .status = DLV_DEFERRED, .dsn = SPAN_LIT("4.3.0"), .text = span_z(text) };
	size_t n = w->n, *slots = w->slots;
	struct job *j = w->job;

	/* The last answer frees the job, and w and slots with it. */
	for (size_t i = 0, slot; i < n; i++) {
		slot = slots[i];
		p->on_result(j, slot, &res, POOL_DONE);
	}
}

/* A user's commands get a process while they have fewer than are free: half of all at most, so that others find one. */
static bool has_share(const struct pool *p, const struct target *t)
{
	uint64_t busy = 0, own = 0;

	for (const struct pool_worker *w = p->workers; w; w = w->next) {
		busy += w->items != NULL;
		own += w->is_command && strcmp(w->key, t->key) == 0;
	}
	return t->what != CHILD_COMMAND || own == 0 || own + busy < p->settings->local.local_process_limit;
}

void pool_submit(struct pool *p, struct pool_work *w)
{
	struct pool_worker *to = w->target.what == CHILD_COMMAND ? NULL : find_worker(p, w->target.key);
	struct err err = ERR_INIT;

	if (!has_share(p, &w->target) ||
	    (!to && p->n_workers >= p->settings->local.local_process_limit && !evict_idle(p))) {
		w->next = NULL;
		*p->waiting_end = w;
		p->waiting_end = &w->next;
		return;
	}
	if (!to)
		to = spawn(p, &w->target, &err);
	if (to) {
		send_work(p, to, w);
		return;
	}
	log_error("%s", err.msg);
	fail_work(p, w, "cannot start a delivery process");
}

static void start_waiting(struct pool *p)
{
	struct pool_work *list = p->waiting;

	p->waiting = NULL;
	p->waiting_end = &p->waiting;
	while (list) {
		struct pool_work *next = list->next;

		pool_submit(p, list);
		list = next;
	}
}

/* ---- life ---- */

void pool_init(struct pool *p, struct daemon *d, const struct settings *s, pool_result_fn *fn)
{
	*p = (struct pool){ .daemon = d, .settings = s, .on_result = fn, .waiting_end = &p->waiting };
}

/* One user's stopped process would keep the letters of all others waiting. Commands have a limit of their own. */
static void kill_silent(struct pool *p, uint64_t now)
{
	uint64_t command_ms = p->settings->local.command_time_limit_ms;

	for (struct pool_worker *w = p->workers; w; w = w->next) {
		if (!w->items || w->pid == 0 || now - w->idle_since_ms < SILENT_MS + (w->is_command ? command_ms : 0))
			continue;
		log_warn("delivery process %d has said nothing for too long: killed", (int)w->pid);
		w->is_killed = true;
		kill(w->pid, SIGKILL);
	}
}

void pool_tick(struct pool *p)
{
	uint64_t now = clock_mono_ms();
	struct pool_worker *w = p->workers;

	while (w) {
		struct pool_worker *next = w->next;

		if (!w->items && now - w->idle_since_ms >= p->settings->local.local_idle_time_ms)
			leave(w);
		w = next;
	}
	kill_silent(p, now);
}

void pool_reload(struct pool *p, const struct settings *s)
{
	struct pool_worker *w = p->workers;

	p->settings = s;
	while (w) {
		struct pool_worker *next = w->next;

		w->is_stale = true;
		if (!w->items)
			leave(w);
		w = next;
	}
}

void pool_reap(struct pool *p)
{
	int st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
		for (struct pool_worker *w = p->workers; w; w = w->next)
			w->pid = w->pid == pid ? 0 : w->pid;    /* its number may belong to somebody else soon */
		if (WIFSIGNALED(st))
			log_warn("delivery process %d killed by signal %d", (int)pid, WTERMSIG(st));
		else if (WEXITSTATUS(st) != 0)
			log_warn("delivery process %d ended with status %d", (int)pid, WEXITSTATUS(st));
	}
}

void pool_fini(struct pool *p)
{
	while (p->workers) {
		struct pool_worker *w = p->workers;

		while (w->items) {
			struct item *it = w->items;

			w->items = it->next;
			free(it);
		}
		leave(w);
	}
}
