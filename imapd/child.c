#include "imapd/child.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imapd/serve.h"
#include "io/sandbox.h"
#include "store/mail_location.h"

/* INDEX= of mail_location: its folder, and what is missing above it, belongs to the user like the Maildir. */
static int make_index(const char *path, struct err *err)
{
	struct str part = STR_INIT(4096);
	size_t n = strlen(path), i;
	int rc = 0;

	for (i = 1; i <= n && rc == 0; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		str_reset(&part);
		rc = str_add(&part, path, i) < 0 ? err_set(err, ERR_CONF, "mail_location: INDEX is too long") : 0;
		if (rc == 0 && mkdir(part.p, 0700) < 0 && errno != EEXIST && i == n)
			rc = err_sys(err, "cannot make %s", path);
	}
	str_fini(&part);
	return rc;
}

/* iconv loads its modules when a character set is first met, which is inside. */
static int give_up_paths(const struct child_start *start, struct err *err)
{
	struct sandbox_path paths[] = {
		{ start->mail, SB_READ | SB_WRITE }, { GCONV_DIR, SB_READ }, { "/usr/lib64/gconv", SB_READ },
		{ start->index, SB_READ | SB_WRITE },
	};
	struct sandbox sb = { .may = SB_OPEN | SB_CHANGE_FILES, .paths = paths, .n_paths = start->index[0] == '/' ? 4 : 3 };

	return start->is_sandboxed ? sandbox_apply(&sb, NULL, err) : 0;
}

/* The mailbox is opened, and made if it is missing, as the user; from then on nothing else can be reached. */
static int lock_in(const struct child_start *start, struct err *err)
{
	struct maildir md = MAILDIR_INIT;

	if (start->changes_user &&
	    sandbox_become(start->uid, start->gid, start->system_user[0] ? start->system_user : NULL, err) < 0)
		return -1;
	/* the parent is gone: so is the suite */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	umask(0077);
	if (mail_location_open(&md, start->home, start->mail, err) < 0)
		return -1;
	maildir_close(&md);
	if (start->index[0] == '/' && make_index(start->index, err) < 0)
		return -1;
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
		.remote = start->remote, .tag = start->tag, .input = start->input, .quota = start->quota,
		.instance = start->instance, .watch_fd = start->watch_fd, .had_crash = start->had_crash, .conf = start->conf,
	};

	/* LMDB asks for 3 MB and touches little; once glibc has seen such a block freed it would take the next from the heap */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	if (lock_in(start, err) < 0) {
		apologise(start->tag, fd);
		return -1;
	}
	serve_run(&own, fd);
	return 0;
}
