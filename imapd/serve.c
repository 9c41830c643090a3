#include "imapd/serve.h"

#include <sys/socket.h>

#include "imapd/session.h"

static void apologise(const struct session *s, const struct err *err)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "* BYE [UNAVAILABLE] Internal error: the mailbox cannot be opened.\r\n"
			 "%.300s NO [UNAVAILABLE] Internal error: the mailbox cannot be opened.\r\n", s->start->tag);

	session_log_error(s, err);
	(void)!send(s->io.fd, text, (size_t)n, MSG_NOSIGNAL);
}

static int open_store(struct session *s, const char *host, struct err *err)
{
	const struct imap_start *start = s->start;
	struct mail_store_options opt = {
		.home = start->home, .mail = start->mail, .index = start->index, .host = host,
		.instance = start->instance, .quota = start->quota, .is_suspect = start->had_crash,
	};
	struct err why = ERR_INIT;

	if (mail_store_open(&s->store, &opt, err) < 0)
		return -1;
	/* a session without its Drafts is better than none */
	if (folder_defaults(&s->store, start->conf->mailbox_defaults, &why) < 0)
		session_log_error(s, &why);
	return 0;
}

void serve_run(const struct imap_start *start, int fd)
{
	struct err err = ERR_INIT;
	char host[256];
	struct session s;

	if (gethostname(host, sizeof(host)) < 0)
		snprintf(host, sizeof(host), "localhost");
	host[sizeof(host) - 1] = '\0';
	session_init(&s, fd, start);
	if (open_store(&s, host, &err) < 0) {
		apologise(&s, &err);
	} else {
		watch_init(&s.watch, start->watch_fd);
		session_run(&s);
		session_unselect(&s);
		mail_store_close(&s.store);
	}
	session_fini(&s);
}
