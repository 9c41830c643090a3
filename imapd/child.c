#include "imapd/child.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "imapd/serve.h"

int child_lock_in(const struct child_start *start, struct mail_store *store_r, struct err *err)
{
	/* iconv loads its modules when a character set is first met, which is inside */
	static const char *const readable[] = { GCONV_DIR, "/usr/lib64/gconv" };
	char host[256] = "localhost";
	struct mail_store_options opt;

	if (child_start_become(start, err) < 0)
		return -1;
	(void)gethostname(host, sizeof(host) - 1);
	opt = child_start_store(start, host);
	if (mail_store_open(store_r, &opt, err) < 0)
		return err_wrap(err, "%s", start->mail);
	return child_start_lock_in(start, readable, ARRAY_LEN(readable), err);
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
	serve_run(start, &store, fd);
	return 0;
}
