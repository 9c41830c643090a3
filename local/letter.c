#include "local/letter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define HEADER_MAX (256 * 1024)
#define FIELD "Delivered-To:"

/* An address from the envelope may not begin a field of its own. */
static struct span safe(struct arena *a, struct span s)
{
	return arena_line(a, s, '?');
}

static void add_from_line(struct str *s, const struct letter *l, struct span sender)
{
	time_t t = (time_t)(l->arrival_ms / 1000);
	char when[64] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &tm);
	str_addf(s, "From %.*s  %s\n", SPAN_ARG(sender.n ? sender : SPAN_LIT("MAILER-DAEMON")), when);
}

/* Oldest first in the chain, newest first in the letter, as if each step had put its line on top. */
static void add_chain(struct str *s, struct span chain, struct span delivered, struct arena *a)
{
	while (chain.n > 0) {
		ptrdiff_t nl = span_rchr(chain, '\n');
		struct span last = span_from(chain, (size_t)(nl + 1));

		if (last.n && !span_same_nocase(last, delivered))
			str_addf(s, "Delivered-To: %.*s\n", SPAN_ARG(safe(a, last)));
		chain = span_sub(chain, 0, nl < 0 ? 0 : (size_t)nl);
	}
}

struct span letter_head(struct arena *a, const struct letter *l, const struct child_rcpt *r, unsigned fields)
{
	struct str s = STR_INIT(65536);
	struct span sender = safe(a, l->sender), orig = safe(a, r->orig), delivered = safe(a, r->delivered);
	struct span out;

	if (fields & LETTER_FROM_LINE)
		add_from_line(&s, l, sender);
	str_addf(&s, "Return-Path: <%.*s>\n", SPAN_ARG(sender));
	if (orig.n)
		str_addf(&s, "X-Original-To: %.*s\n", SPAN_ARG(orig));
	if ((fields & LETTER_DELIVERED_TO) && delivered.n)
		str_addf(&s, "Delivered-To: %.*s\n", SPAN_ARG(delivered));
	if (fields & LETTER_CHAIN)
		add_chain(&s, r->chain, delivered, a);
	out = arena_span(a, str_span(&s));
	str_fini(&s);
	return out;
}

static bool header_has(struct span text, struct span address)
{
	struct span line;

	while (text.n > 0) {
		span_cut(text, '\n', &line, &text);
		if (line.n == 0 || line.p[0] == '\r')
			return false;
		if (span_starts_nocase(line, FIELD) &&
		    span_same_nocase(span_trim(span_from(line, sizeof(FIELD) - 1)), address))
			return true;
	}
	return false;
}

int letter_has_delivered_to(const struct letter *l, struct span address, struct err *err)
{
	size_t want = l->size < HEADER_MAX ? (size_t)l->size : HEADER_MAX, got = 0;
	char *buf;
	int rc;

	if (l->fd < 0)
		return header_has(span_sub(l->body, 0, HEADER_MAX), address);
	buf = xcalloc(1, want + 1);
	while (got < want) {
		ssize_t n = pread(l->fd, buf + got, want - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(buf);
			return err_sys(err, "cannot read the message from the queue");
		}
		if (n == 0)
			break;
		got += (size_t)n;
	}
	rc = header_has((struct span){ buf, got }, address);
	free(buf);
	return rc;
}
