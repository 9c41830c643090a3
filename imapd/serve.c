#include "imapd/serve.h"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/params.h"
#include "imapd/park.h"
#include "svc/daemon_log.h"
#include "svc/session_parent.h"

#define QUIET_MS 1000                   /* then a process that waits gives back what it can */
#define FOREVER_MS (24 * 3600 * 1000u)  /* the parent closes the pair long before */

/* True when the process may serve another. */
static bool serve_one(const struct child_start *start, struct mail_store *store, struct watch *watch, int fd)
{
	struct err err = ERR_INIT;
	struct session s;
	bool is_parked;

	session_init(&s, fd, start);
	s.store = *store;
	s.watch = *watch;
	s.store.folders = s.conf->mailbox_defaults;
	/* a session without its Drafts is better than none */
	if (!start->state.n && folder_defaults(&s.store, s.conf->mailbox_defaults, &err) < 0)
		session_log_error(&s, &err);
	session_run(&s);
	is_parked = session_is_parked(&s);
	session_fini(&s);
	*store = s.store;
	*watch = s.watch;
	/* with an index in memory nobody else would see, and the next may have room for one on disk */
	return !is_parked && !session_child_must_end() && watch->fd >= 0 && !index_is_memory(mail_store_index(store));
}

/* The Maildir and its index are still those behind the names that we were given. */
static bool is_there(const struct child_start *start, const struct mail_store *store)
{
	struct stat ours, now, index;

	return fstat(store->root.fd, &ours) == 0 && stat(start->mail, &now) == 0 && ours.st_ino == now.st_ino &&
	       ours.st_dev == now.st_dev && fstat(store->index_dir, &index) == 0 && index.st_nlink > 0;
}

static int take_next(struct child_start *start, struct mail_store *store, struct watch *watch, struct span words,
		     struct arena *a, int client)
{
	struct err ignored = ERR_INIT;
	const struct pair_begin *b = ipc_decode(&pair_begin_desc, arena_span(a, words), a, &ignored);

	if (!b || !is_there(start, store)) {
		watch_refuse(watch, client, b ? b->state : SPAN_NULL);
		close(client);
		return -1;
	}
	start->session = arena_strndup(a, b->session.p, b->session.n);
	start->remote = arena_strndup(a, b->remote.p, b->remote.n);
	start->tag = arena_strndup(a, b->tag.p, b->tag.n);
	start->input = b->input;
	start->state = b->state;
	return session_child_client(client);
}

/* The descriptor of the next client; -1: the process ends. */
static int wait_for_next(struct child_start *start, struct mail_store *store, struct watch *watch, struct arena *a)
{
	uint64_t ms = QUIET_MS;
	struct span words;
	char buf[PAIR_MAX];
	unsigned due_ms;
	int rc, client;

	daemon_log_flush();
	if (session_child_client(dup(watch->fd)) < 0 || watch_done(watch) < 0)
		return -1;
	for (;;) {
		rc = watch_next(watch, ms, &client, &words, buf);
		if (rc != 0)
			break;
		due_ms = index_rest(mail_store_index(store));
		malloc_trim(0);
		ms = due_ms ? due_ms : FOREVER_MS;
	}
	arena_reset(a);
	return rc < 0 ? -1 : take_next(start, store, watch, words, a, client);
}

void serve_run(const struct child_start *start, struct mail_store *store, int fd)
{
	struct child_start now = *start;
	struct arena a = { 0 };
	struct watch watch;

	watch_init(&watch, start->watch_fd);
	while (fd >= 0 && serve_one(&now, store, &watch, fd))
		fd = wait_for_next(&now, store, &watch, &a);
	mail_store_close(store);
	arena_fini(&a);
}
