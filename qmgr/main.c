/* qmgr: the queue manager.
 *
 * Role:       owns the queue: takes letters from smtpd, answers them after the commit, finds out where each recipient
 *             goes, lends letters to delivery agents, schedules retries, writes failure notices.
 * Peers:      smtpd (CHAN_QUEUE, it serves), resolve (CHAN_RESOLVE, it asks), local and other agents (CHAN_DELIVER, it
 *             serves), surat(1) on the socket queue in run_directory (root, and the user that runs the suite).
 * Privileges: _surat-queue; no network, no exec; two kinds of threads: one writer, and libuv's pool for syncing large
 *             bodies.
 * Files:      queue_directory/queue (LMDB) and queue_directory/large; nothing else. */
#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/log.h"
#include "qmgr/admin.h"
#include "qmgr/agents.h"
#include "qmgr/enqueue.h"
#include "qmgr/qmgr.h"
#include "svc/daemon.h"

#define LEAVING_MS 10000        /* how long the qmgr of a killed master may still have the queue */

struct state {
	struct qmgr q;
	struct admin *admin;
	int admin_fd;
	uid_t owner;
	struct sandbox_path paths[1];
};

static int read_conf(struct daemon *d, struct qmgr *q, struct err *err)
{
	struct arena arena = { 0 };
	struct qmgr_conf conf;
	struct global_conf global;

	if (qmgr_conf_read(&conf, d->conf, &arena, err) < 0 || global_conf_read(&global, d->conf, &arena, err) < 0) {
		arena_fini(&arena);
		return -1;
	}
	arena_fini(&q->conf_arena);
	q->conf_arena = arena;
	q->conf = conf;
	q->global = global;
	return 0;
}

/* Directories are made while we are root and belong to the user we become. */
static int make_directory(const char *path, uid_t uid, gid_t gid, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(err, "create %s", path);
	if (uid != (uid_t)-1 && lchown(path, uid, gid) < 0)
		return err_sys(err, "chown %s", path);
	return 0;
}

static int make_spool(struct daemon *d, struct state *s, struct err *err)
{
	static const char *const parts[] = { "queue", "large", "queue/data.mdb", "queue/lock.mdb" };
	const char *dir = s->q.global.queue_directory;
	const struct passwd *pw = d->is_root ? getpwnam(s->q.global.mail_owner) : NULL;
	uid_t uid = pw ? pw->pw_uid : (uid_t)-1;
	gid_t gid = pw ? pw->pw_gid : (gid_t)-1;
	char path[4096];
	size_t i;

	if (d->is_root && !pw)
		return err_set(err, ERR_CONF, "mail_owner: there is no user %s", s->q.global.mail_owner);
	s->owner = pw ? uid : geteuid();
	if (make_directory(dir, (uid_t)-1, (gid_t)-1, 0755, err) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(parts); i++) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, parts[i]) >= sizeof(path))
			return err_set(err, ERR_CONF, "queue_directory is too long");
		if (i < 2 && make_directory(path, uid, gid, 0700, err) < 0)
			return -1;
		if (i >= 2 && pw && lchown(path, uid, gid) < 0 && errno != ENOENT)
			return err_sys(err, "chown %s", path);
	}
	return 0;
}

static int on_init(struct daemon *d, struct err *err)
{
	struct state *s = d->state;

	if (read_conf(d, &s->q, err) < 0 || make_spool(d, s, err) < 0)
		return -1;
	s->admin_fd = admin_listen(d->run_directory, err);
	if (s->admin_fd < 0)
		return -1;
	s->paths[0] = (struct sandbox_path){ s->q.global.queue_directory, SB_READ | SB_WRITE };
	d->sandbox.user = s->q.global.mail_owner;
	d->sandbox.may = SB_ACCEPT | SB_OPEN | SB_CHANGE_FILES | SB_THREAD;
	d->sandbox.paths = s->paths;
	d->sandbox.n_paths = 1;
	return 0;
}

/* What is on the disk is whole; what was not committed was not answered. The next start repairs the rest. */
static void on_fatal(struct qmgr *q, const struct err *err)
{
	log_fatal("%s", err->msg);
}

static int on_start(struct daemon *d, struct err *err)
{
	struct state *s = d->state;
	struct queue_options opt = { .map_size = s->q.conf.queue_map_size, .reserve = s->q.conf.queue_minfree,
				     .wait_ms = LEAVING_MS };
	size_t messages, files;

	if (opt.reserve == 0)
		opt.reserve = s->q.global.message_size_limit + s->q.global.message_size_limit / 2;
	if (queue_open(&s->q.queue, s->q.global.queue_directory, &opt, err) < 0)
		return -1;
	queue_recovered(s->q.queue, &messages, &files);
	if (messages || files)
		log_info("recovered %zu messages that were being tried; removed %zu unfinished bodies", messages,
			 files);
	s->q.loop = &d->loop;
	s->q.fatal = on_fatal;
	s->q.arg = d;
	qmgr_start(&s->q);
	s->admin = admin_new(&s->q, &s->admin_fd, s->owner);
	return 0;
}

static void on_channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	struct state *s = d->state;

	if (kind == CHAN_RESOLVE && !is_server)
		qmgr_attach_resolve(&s->q, fd);
	else if (kind == CHAN_QUEUE && is_server)
		enqueue_attach(&s->q, peer, fd);
	else if (kind == CHAN_DELIVER && is_server)
		agents_attach(&s->q, peer, fd);
}

static void on_peers(struct daemon *d, enum channel_kind kind, uint64_t count)
{
	struct state *s = d->state;

	if (kind == CHAN_DELIVER)
		agents_expect(&s->q, count);
}

static int on_reload(struct daemon *d, struct err *err)
{
	struct state *s = d->state;

	return read_conf(d, &s->q, err);
}

static uint64_t on_sessions(struct daemon *d)
{
	struct state *s = d->state;

	return s->q.n_active;
}

/* Jobs on loan are reported to the next qmgr; letters behind their END get their answer from this last commit. */
static void on_drain(struct daemon *d)
{
	struct state *s = d->state;

	admin_free(s->admin);
	qmgr_stop(&s->q);
	daemon_exit(d);         /* the queue stays open: a pool thread may be syncing a body */
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = {
		.name = "qmgr", .init = on_init, .start = on_start, .channel = on_channel, .reload = on_reload,
		.drain = on_drain,
		.sessions = on_sessions, .peers = on_peers,
	};
	static struct state state;

	return daemon_main(argc, argv, &ops, &state);
}
