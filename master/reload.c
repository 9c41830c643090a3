/* reload: a new configuration takes the place of the old one, or nothing changes
 *
 * load ──errors──▶ old stays                    each error is logged and told to surat(1)
 *   │ sockets opened (same address: same socket), certificates read
 *   ▼
 * the per-core programs get a second set of workers ──one fails──▶ the new set is killed, old stays
 *   │ all are ready
 *   ▼
 * switch: singletons get CONF and RELOAD, new workers LISTEN, old ones DRAIN; sockets that are gone are closed
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "master.h"

struct reload {
	struct config *was;             /* what comes back if it fails; m->config is the new one meanwhile */
	struct listeners listeners;     /* the new ones, until the switch */
	struct certs was_certs;
	struct tool *tool;
};

static void answer(struct tool **tool, bool is_ok, const char *text)
{
	if (*tool)
		tool_answer(*tool, is_ok, text);
	*tool = NULL;
}

static void end(struct master *m)
{
	struct proc *p;

	free(m->reload);
	m->reload = NULL;
	for (p = m->procs; p; p = p->next)
		spawn_catch_up(p);
	if (m->is_reload_again && m->state == MASTER_RUNNING) {
		m->is_reload_again = false;
		reload_begin(m, NULL);
	}
}

static void refuse(struct tool *tool, struct conf_errors *errors)
{
	struct str text = STR_INIT(48u << 10);
	size_t i, wrong;

	for (i = 0; i < errors->n; i++) {
		if (conf_is_warning(errors->v[i]))
			continue;
		log_error("reload: %s", errors->v[i]);
		if (str_addf(&text, "%s\n", errors->v[i]) < 0)
			break;
	}
	wrong = conf_errors_wrong(errors);
	log_error("reload: %zu error%s; the old configuration stays in force", wrong, wrong == 1 ? "" : "s");
	answer(&tool, false, text.p);
	str_fini(&text);
}

/* run_directory and the like belong to the running suite; a change of them waits for the next start. */
static void keep_places(const struct config *was, struct config *now)
{
	config_warn_restart(was, now);
	now->global.run_directory = arena_strdup(&now->arena, was->global.run_directory);
	now->libexec = arena_strdup(&now->arena, was->libexec);
	now->n_workers = was->n_workers;
}

void reload_begin(struct master *m, struct tool *tool)
{
	struct conf_errors errors = { 0 };
	struct listeners listeners = { 0 };
	struct certs certs = { 0 };
	struct config *c;

	if (m->reload || m->state != MASTER_RUNNING) {
		m->is_reload_again = m->reload != NULL;
		answer(&tool, m->reload != NULL, m->reload ? "one more reload follows" :
		       "not while starting or stopping");
		return;
	}
	c = config_load(m->config_directory, m->config->generation + 1, &errors);
	if (c) {
		keep_places(m->config, c);
		spawn_check_binaries(c, &errors);
		channels_check_log(c, &errors);
	}
	if (!c || conf_errors_wrong(&errors) || certs_load(&certs, c, &errors) < 0 ||
	    listen_open(&listeners, c, &m->listeners, 0, &errors) < 0) {
		refuse(tool, &errors);
		listen_fini(&listeners, false);
		certs_fini(&certs);
		config_free(&c);
		conf_errors_fini(&errors);
		return;
	}
	conf_errors_fini(&errors);
	log_info("reload -- version %s, configuration %s", SURAT_VERSION, m->config_directory);
	m->reload = xnew(struct reload);
	*m->reload = (struct reload){ m->config, listeners, m->certs, tool };
	m->config = c;
	m->certs = certs;
	if (spawn_wanted(m, true) < 0)
		reload_failed(m, "a process could not be started; the log says why");
	else
		reload_step(m);
}

void reload_failed(struct master *m, const char *why)
{
	struct reload *r = m->reload;
	struct proc *p;

	if (!r)
		return;
	for (p = m->procs; p; p = p->next) {
		if (p->is_successor) {
			p->is_retired = true;
			p->is_successor = false;
			spawn_kill(p);
		}
	}
	config_free(&m->config);
	certs_fini(&m->certs);
	m->config = r->was;
	m->certs = r->was_certs;
	listen_fini(&r->listeners, false);
	log_error("reload: %s; the old configuration stays in force", why);
	answer(&r->tool, false, why);
	end(m);
}

static void hand_over(struct proc *p)
{
	bool goes = p->program->is_per_core || !spawn_is_wanted(p->m->config, p->program);

	if (p->is_successor) {
		p->is_successor = false;
		channels_listen(p);
	} else if (goes) {
		spawn_drain(p, 0);      /* its sessions may go on as long as they like */
	} else if (p->state == PROC_READY) {
		if (spawn_send_reload(p) < 0)
			spawn_kill(p);
		if (p == p->m->logger)
			channels_lend_log(p);
	}
}

const struct listeners *reload_listeners(const struct master *m)
{
	return m->reload ? &m->reload->listeners : &m->listeners;
}

void reload_step(struct master *m)
{
	struct reload *r = m->reload;
	struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if (p->is_successor && p->state != PROC_READY)
			return;
	}
	listen_fini(&m->listeners, false);
	m->listeners = r->listeners;
	for (p = m->procs; p; p = p->next) {
		if (!p->is_retired)
			hand_over(p);
	}
	certs_fini(&r->was_certs);
	config_free(&r->was);
	if (r->tool)
		tool_answer_settled(r->tool);   /* when the old workers accept no more */
	end(m);
}

void reload_forget_tool(struct master *m, const struct tool *tool)
{
	if (m->reload && m->reload->tool == tool)
		m->reload->tool = NULL;
}
