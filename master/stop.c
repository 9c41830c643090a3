/* stop: whoever has no client left is drained, so letters on their way find their servers to the last */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "master.h"

#define INNER_LIMIT_MS 10000u   /* for those that serve no client of the outer world */
#define LEAST_LIMIT_MS 2000u    /* also for those whose clients took all the time there was */

static bool has_running(const struct master *m, const char *program)
{
	const struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if (p->pid > 0 && strcmp(p->program->name, program) == 0)
			return true;
	}
	return false;
}

static bool has_client(const struct master *m, const struct program *program)
{
	size_t i;

	for (i = 0; i < topology_n_channels; i++) {
		if (strcmp(topology_channels[i].server, program->name) == 0 &&
		    has_running(m, topology_channels[i].client))
			return true;
	}
	return false;
}

static bool is_last(const struct master *m)
{
	const struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if (p->pid > 0 && p != m->logger)
			return false;
	}
	return true;
}

static uint64_t limit_of(const struct master *m, const struct proc *p)
{
	uint64_t now = clock_mono_ms();

	if (!p->program->is_wanted_by_listener)
		return INNER_LIMIT_MS;
	return m->stop_deadline_ms > now + LEAST_LIMIT_MS ? m->stop_deadline_ms - now : LEAST_LIMIT_MS;
}

void stop_step(struct master *m)
{
	struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if (p->pid > 0 && (p == m->logger ? is_last(m) : !has_client(m, p->program))) {
			/* an old worker of a reload drains already, but without a limit */
			if (p->state == PROC_DRAINING && !uv_is_active((uv_handle_t *)&p->timer))
				p->state = PROC_READY;
			spawn_drain(p, limit_of(m, p));
		}
	}
	for (p = m->procs; p; p = p->next) {
		if (p->pid > 0)
			return;
	}
	master_end(m, m->exit_status);
}

static void kill_all(struct master *m)
{
	struct proc *p;

	for (p = m->procs; p; p = p->next)
		spawn_kill(p);
}

void stop_begin(struct master *m, const char *why)
{
	struct proc *p;

	if (m->state == MASTER_STOPPING) {
		log_warn("told to stop again: what still runs is killed");
		kill_all(m);
		return;
	}
	log_info("terminating on %s", why);
	if (m->reload)
		reload_failed(m, why);
	m->state = MASTER_STOPPING;
	m->stop_deadline_ms = clock_mono_ms() + m->config->master.stop_timeout_ms;
	listen_fini(&m->listeners, true);
	listen_fini(&m->tool_sockets, true);
	for (p = m->procs; p; p = p->next)
		p->is_retired = true;
	stop_step(m);
}
