#include "pop3d/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/sandbox.h"
#include "pop3d/maildrop.h"
#include "pop3d/session.h"

/* The mailbox is opened, and made if it is missing, as the user; from then on nothing else can be reached. */
static int lock_in(const struct child_start *start, struct maildrop *box, struct err *err)
{
	struct mail_store_options opt = { .home = start->home, .mail = start->mail, .index = start->index,
					  .host = "localhost",
					  .instance = start->instance,
					  .quota = { start->quota, start->quota_messages },
					  .is_suspect = start->had_crash };
	struct sandbox_path paths[2] = { { start->mail, SB_READ | SB_WRITE }, { start->index, SB_READ | SB_WRITE } };
	struct sandbox sb = { .may = CHILD_MAY, .calls = start->calls, .paths = paths,
			      .n_paths = start->index[0] == '/' ? 2 : 1 };

	if (start->changes_user &&
	    sandbox_become(start->uid, start->gid, start->system_user[0] ? start->system_user : NULL, err) < 0)
		return -1;
	/* the parent is gone: so is the suite */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	umask(0077);
	if (maildrop_open(box, &opt, err) < 0)
		return -1;
	return start->is_sandboxed ? sandbox_apply(&sb, NULL, err) : 0;
}

int child_serve(const struct child_start *start, int fd, struct err *err)
{
	static const char sorry[] = "-ERR [SYS/TEMP] Internal error: the mailbox cannot be opened.\r\n";
	struct maildrop box = MAILDROP_INIT;
	struct session s;

	if (lock_in(start, &box, err) < 0) {
		(void)!send(fd, sorry, sizeof(sorry) - 1, MSG_NOSIGNAL);
		close(fd);
		maildrop_close(&box);
		return -1;
	}
	session_run(&s, fd, start, &box);
	maildrop_close(&box);
	return 0;
}
