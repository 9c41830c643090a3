#include "imapd/serve.h"

#include <fcntl.h>
#include <poll.h>

#include "io/stream.h"

#define LINE_MAX_BYTES 8192u

struct serve {
	struct stream io;
};

static int get_line(struct serve *s, struct span *line_r)
{
	struct err err = ERR_INIT;

	for (;;) {
		enum io_rc rc = stream_getline(&s->io, LINE_MAX_BYTES, line_r, NULL);
		struct pollfd p = { s->io.fd, POLLIN, 0 };

		if (rc == IO_OK)
			return 0;
		if (rc != IO_AGAIN || stream_flush(&s->io, &err) == IO_ERR)
			return -1;
		rc = stream_fill(&s->io, &err);
		if (rc != IO_OK && (rc != IO_AGAIN || poll(&p, 1, 1800000) == 0))
			return -1;
	}
}

static int answer(struct serve *s, struct span line)
{
	struct span tag, verb;

	if (!span_word(&line, " ", &tag))
		return stream_putz(&s->io, "* BAD No tag.\r\n");
	if (!span_word(&line, " ", &verb))
		verb = SPAN_NULL;
	if (span_eq_nocase(verb, "LOGOUT")) {
		(void)!stream_putf(&s->io, "* BYE Logging out\r\n%.*s OK Logout completed.\r\n", SPAN_ARG(tag));
		return -1;
	}
	if (span_eq_nocase(verb, "CAPABILITY") && stream_putz(&s->io, "* CAPABILITY IMAP4rev1\r\n") < 0)
		return -1;
	if (span_eq_nocase(verb, "CAPABILITY") || span_eq_nocase(verb, "NOOP"))
		return stream_putf(&s->io, "%.*s OK Completed.\r\n", SPAN_ARG(tag));
	return stream_putf(&s->io, "%.*s BAD Unknown command.\r\n", SPAN_ARG(tag));
}

void serve_run(const struct imap_start *start, int fd)
{
	struct serve *s = &(struct serve){ 0 };
	struct err err = ERR_INIT;
	struct span line;

	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	stream_init(&s->io, fd, 65536 + start->input.n, 65536);
	BUG(str_add_span(&s->io.in, start->input) < 0);
	if (stream_putf(&s->io, "%s OK [CAPABILITY IMAP4rev1] Logged in\r\n", start->tag) == 0) {
		while (get_line(s, &line) == 0 && answer(s, line) == 0)
			;
	}
	(void)!stream_flush(&s->io, &err);
	stream_fini(&s->io);
}
