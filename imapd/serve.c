#include "imapd/serve.h"

#include "imapd/session.h"

void serve_run(const struct imap_start *start, struct mail_store *store, int fd)
{
	struct err err = ERR_INIT;
	struct session s;

	session_init(&s, fd, start);
	s.store = *store;
	/* a session without its Drafts is better than none */
	if (folder_defaults(&s.store, start->conf->mailbox_defaults, &err) < 0)
		session_log_error(&s, &err);
	watch_init(&s.watch, start->watch_fd);
	session_run(&s);
	session_unselect(&s);
	mail_store_close(&s.store);
	session_fini(&s);
}
