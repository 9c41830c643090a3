#include "imapd/child.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imapd/serve.h"
#include "io/sandbox.h"

/* iconv loads its modules when a character set is first met, which is inside. */
static int give_up_paths(const struct child_start *start, struct err *err)
{
	struct sandbox_path paths[] = {
		{ start->mail, SB_READ | SB_WRITE }, { GCONV_DIR, SB_READ }, { "/usr/lib64/gconv", SB_READ },
		{ start->index, SB_READ | SB_WRITE },
	};
	struct sandbox sb = { .may = CHILD_MAY, .calls = start->calls, .paths = paths,
			      .n_paths = start->index[0] == '/' ? 4 : 3 };

	return start->is_sandboxed ? sandbox_apply(&sb, NULL, err) : 0;
}

int child_lock_in(const struct child_start *start, struct mail_store *store_r, struct err *err)
{
	char host[256] = "localhost";
	struct mail_store_options opt = {
		.home = start->home, .mail = start->mail, .index = start->index, .host = host, .instance = start->instance,
		.quota = { start->quota, start->quota_messages }, .is_suspect = start->had_crash,
	};

	if (start->changes_user &&
	    sandbox_become(start->uid, start->gid, start->system_user[0] ? start->system_user : NULL, err) < 0)
		return -1;
	/* the parent is gone: so is the suite */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	umask(0077);
	(void)gethostname(host, sizeof(host) - 1);
	if (mail_store_open(store_r, &opt, err) < 0)
		return err_wrap(err, "%s", start->mail);
	return give_up_paths(start, err);
}

static void apologise(const char *tag, int fd)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "* BYE [UNAVAILABLE] Internal error: the mailbox cannot be opened.\r\n"
			 "%.300s NO [UNAVAILABLE] Internal error: the mailbox cannot be opened.\r\n", tag);

	(void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
	close(fd);
}

int child_serve(const struct child_start *start, int fd, struct err *err)
{
	struct imap_start own = {
		.user = start->user, .home = start->home, .mail = start->mail, .index = start->index, .session = start->session,
		.remote = start->remote, .tag = start->tag, .input = start->input, .state = start->state,
		.watch_fd = start->watch_fd, .conf = start->conf,
	};
	struct mail_store store;

	/* LMDB asks for 3 MB and touches little; once glibc has seen such a block freed it would take the next from the
	 * heap */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	/* a session that rests gives all back at once (session_rest); else each freed block would be a brk */
	mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
	if (child_lock_in(start, &store, err) < 0) {
		apologise(start->tag, fd);
		return -1;
	}
	serve_run(&own, &store, fd);
	return 0;
}
