#include "pop3d/child.h"

#include <sys/socket.h>
#include <unistd.h>

#include "pop3d/maildrop.h"
#include "pop3d/session.h"

/* The mailbox is opened, and made if it is missing, as the user; from then on nothing else can be reached. */
static int lock_in(const struct child_start *start, struct maildrop *box, struct err *err)
{
	struct mail_store_options opt = child_start_store(start, "localhost");

	if (child_start_become(start, err) < 0 || maildrop_open(box, &opt, err) < 0)
		return -1;
	return child_start_lock_in(start, NULL, 0, err);
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
