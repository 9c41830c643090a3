#include "auth/pool.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "auth/scheme.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define DEATHS_WINDOW_MS 10000

/* Each checks one password at a time, with that much memory. */
static size_t max_workers(const struct settings *s)
{
	uint64_t n = s->auth.auth_argon2_memory / ((uint64_t)SCHEME_ARGON2_KIB << 10);

	if (n > s->auth.auth_worker_max_count)
		n = s->auth.auth_worker_max_count;
	if (n > POOL_MAX)
		n = POOL_MAX;
	return n ? (size_t)n : 1;
}

void pool_init(struct pool *p, struct loop *loop, const struct settings *s, pool_spawn_fn *spawn, void *arg)
{
	*p = (struct pool){ .loop = loop, .settings = s, .spawn = spawn, .arg = arg, .n_max = max_workers(s) };
}

/* The channel is closed, so a living worker leaves at once; one that does not is ended. */
static void reap(struct pool_worker *w, bool is_crash)
{
	int status = 0;

	if (w->pid <= 0)
		return;
	if (waitpid(w->pid, &status, WNOHANG) == 0) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, &status, 0);
	}
	/* the end of its channel may be seen before that of the process */
	if (is_crash && WIFSIGNALED(status)) {
		log_error("worker %d died of signal %d; its exchanges fail for now", (int)w->pid, WTERMSIG(status));
	} else if (is_crash) {
		log_error("worker %d left with status %d; its exchanges fail for now", (int)w->pid,
			  WEXITSTATUS(status));
	}
	w->pid = 0;
	w->generation++;
	w->n_exchanges = 0;
	w->is_retired = false;
}

static void stop(struct pool_worker *w)
{
	ipc_close(&w->ipc);
	reap(w, false);
}

void pool_fini(struct pool *p)
{
	size_t i;

	for (i = 0; i < POOL_MAX; i++) {
		if (p->workers[i])
			stop(p->workers[i]);
		free(p->workers[i]);
		p->workers[i] = NULL;
	}
}

void pool_configure(struct pool *p, const struct settings *s)
{
	size_t i;

	p->settings = s;
	p->n_max = max_workers(s);
	for (i = 0; i < POOL_MAX; i++) {
		struct pool_worker *w = p->workers[i];

		if (!w || !ipc_is_attached(&w->ipc))
			continue;
		w->is_retired = true;
		if (w->n_exchanges == 0)
			stop(w);
	}
}

static void note_death(struct pool *p)
{
	memmove(p->last_death_ms, p->last_death_ms + 1, 3 * sizeof(p->last_death_ms[0]));
	p->last_death_ms[3] = clock_mono_ms();
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct pool_worker *w = arg;

	if (why->kind != ERR_NONE)
		log_error("worker %d: %s", (int)w->pid, why->msg);
	reap(w, true);
	note_death(w->pool);
}

static const struct ipc_ops worker_ops = { "worker", NULL, 0, on_lost, NULL };

static bool dies_too_often(const struct pool *p)
{
	return p->last_death_ms[0] && clock_mono_ms() - p->last_death_ms[0] < DEATHS_WINDOW_MS;
}

static int start(struct pool *p, struct pool_worker *w, struct err *err)
{
	int fd = -1;

	if (dies_too_often(p))
		return err_set(err, ERR_TEMP, "workers die again and again");
	if (p->spawn(p->arg, p->settings, &fd, &w->pid, err) < 0)
		return -1;
	ipc_init(&w->ipc, p->loop, &worker_ops, w);
	w->ipc.is_secret = true;
	ipc_attach(&w->ipc, &fd);
	w->is_retired = false;
	return 0;
}

static struct pool_worker *empty_slot(struct pool *p)
{
	size_t i, n_live = 0;

	for (i = 0; i < POOL_MAX; i++)
		n_live += p->workers[i] && ipc_is_attached(&p->workers[i]->ipc) && !p->workers[i]->is_retired;
	if (n_live >= p->n_max)
		return NULL;
	for (i = 0; i < POOL_MAX; i++) {
		if (!p->workers[i]) {
			p->workers[i] = xnew(struct pool_worker);
			p->workers[i]->pool = p;
			p->workers[i]->ipc.fd = -1;
		}
		if (!ipc_is_attached(&p->workers[i]->ipc))
			return p->workers[i];
	}
	return NULL;
}

struct pool_worker *pool_pick(struct pool *p, struct err *err)
{
	struct pool_worker *best = NULL, *fresh;
	size_t i;

	for (i = 0; i < POOL_MAX; i++) {
		struct pool_worker *w = p->workers[i];

		if (w && ipc_is_attached(&w->ipc) && !w->is_retired && (!best || w->n_exchanges < best->n_exchanges))
			best = w;
	}
	if (best && best->n_exchanges == 0)
		return best;
	fresh = empty_slot(p);
	if (fresh && start(p, fresh, err) == 0)
		return fresh;
	if (!best && !fresh)
		err_set(err, ERR_TEMP, "no worker");
	return best;
}

void pool_release(struct pool_worker *w, unsigned generation)
{
	if (w->generation != generation)
		return;
	w->n_exchanges--;
	/* detached: it died, and on_lost cleans up */
	if (w->is_retired && w->n_exchanges == 0 && ipc_is_attached(&w->ipc))
		stop(w);
}

void pool_kill(struct pool_worker *w, unsigned generation)
{
	if (w->generation == generation && w->pid > 0)
		kill(w->pid, SIGKILL);
}
