#include "proto/dsn.h"

#include <stdarg.h>

#include "base/utf8.h"
#include "proto/date.h"

#define FOLD 76         /* words of a diagnosis go on a new line after this column */
#define INDENT "    "

static const char *const actions[] = { "failed", "delayed", "delivered", "relayed", "expanded" };

/* Once something did not fit everything after it is dropped, so only the end has to look. */
struct out {
	struct str *s;
	int rc;
};

static PRINTF(2, 3) void put(struct out *o, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (o->rc == 0)
		o->rc = n < 0 || (size_t)n >= sizeof(buf) ? -1 : str_add(o->s, buf, (size_t)n);
}

static void put_raw(struct out *o, struct span s)
{
	if (o->rc == 0)
		o->rc = str_add_span(o->s, s);
}

/* Foreign words: nothing in them may end a line or a field. */
static void put_clean(struct out *o, struct span s)
{
	size_t i;

	for (i = 0; i < s.n && o->rc == 0; i++) {
		unsigned char c = (unsigned char)s.p[i];

		o->rc = str_addc(o->s, c < 32 || c == 127 ? '?' : (char)c);
	}
}

/* The same, folded at spaces; a word too long for a line is broken, or a line could pass RFC 5322's 998. */
static void put_folded(struct out *o, struct span s, size_t column)
{
	struct span word;
	bool first = true;

	while (o->rc == 0 && span_word(&s, " \t\r\n", &word)) {
		while (word.n > 900) {
			put(o, "\r\n" INDENT);
			put_clean(o, span_sub(word, 0, 900));
			word = span_from(word, 900);
			column = FOLD;
			first = false;
		}
		if (!first && column + 1 + word.n > FOLD) {
			put(o, "\r\n" INDENT);
			column = strlen(INDENT);
		} else if (!first) {
			put(o, " ");
			column++;
		}
		put_clean(o, word);
		column += word.n;
		first = false;
	}
}

static void put_field(struct out *o, const char *name, const char *type, struct span value)
{
	if (value.n == 0)
		return;
	put(o, "%s: %s", name, type);
	put_clean(o, span_sub(value, 0, 900));
	put(o, "\r\n");
}

static void put_date(struct out *o, const char *name, uint64_t ms)
{
	put(o, "%s: ", name);
	if (o->rc == 0)
		o->rc = date_format(o->s, (int64_t)(ms / 1000), 0);
	put(o, "\r\n");
}

bool dsn_status_valid(struct span s)
{
	struct span class, rest, subject, detail;
	uint64_t v;

	if (!span_cut(s, '.', &class, &rest) || !span_cut(rest, '.', &subject, &detail))
		return false;
	return (span_eqz(class, "2") || span_eqz(class, "4") || span_eqz(class, "5")) &&
	       subject.n <= 3 && detail.n <= 3 &&
	       span_u64(subject, 999, &v) == 0 && span_u64(detail, 999, &v) == 0;
}

static bool original_is_8bit(const struct dsn_notice *n)
{
	return !utf8_is_ascii(n->original);
}

static bool words_are_8bit(const struct dsn_notice *n)
{
	size_t i;

	if (!utf8_is_ascii(n->to))
		return true;
	for (i = 0; i < n->n_rcpts; i++) {
		const struct dsn_rcpt *r = &n->rcpts[i];

		if (!utf8_is_ascii(r->addr) || !utf8_is_ascii(r->text) || !utf8_is_ascii(r->orig) ||
		    !utf8_is_ascii(r->orcpt))
			return true;
	}
	return false;
}

static void put_header(struct out *o, const struct dsn_notice *n)
{
	static const char *const subjects[] = { "Undelivered Mail Returned to Sender",
		"Delayed Mail (still being retried)",
						"Successful Mail Delivery Report" };

	put(o, "From: Mail Delivery System <MAILER-DAEMON@");
	put_clean(o, span_sub(n->from_domain, 0, 255));
	put(o, ">\r\nTo: <");
	put_clean(o, span_sub(n->to, 0, 600));
	put(o, ">\r\nSubject: %s\r\n", n->is_copy ? "Postmaster Copy: Undelivered Mail" : subjects[n->kind]);
	put_date(o, "Date", n->now_ms);
	put(o, "Message-ID: <%.*s>\r\n", SPAN_ARG(n->message_id));
	put(o, "Auto-Submitted: auto-%s\r\nMIME-Version: 1.0\r\n", n->is_copy ? "generated" : "replied");
	put(o, "Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"%.*s\"\r\n",
	    n->utf8 ? "global-delivery-status" : "delivery-status", SPAN_ARG(n->boundary));
	if (words_are_8bit(n) || original_is_8bit(n))
		put(o, "Content-Transfer-Encoding: 8bit\r\n");
	put(o, "\r\nThis is a MIME-encapsulated message.\r\n\r\n");
}

static void put_words(struct out *o, const struct dsn_notice *n)
{
	bool is_8bit = words_are_8bit(n);
	size_t i;

	put(o, "--%.*s\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=%s\r\n%s\r\n",
	    SPAN_ARG(n->boundary), is_8bit ? "utf-8" : "us-ascii",
	    is_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	put(o, "This is the mail system at host %.*s.\r\n\r\n", SPAN_ARG(n->hostname));
	switch (n->kind) {
	case DSN_FAILURE:
		if (n->is_copy)
			put(o, "A message whose sender cannot be told could not be delivered.\r\n");
		else
			put(o, "Your message could not be delivered to one or more recipients. It is\r\nattached below.\r\n\r\n"
			       "If you ask the postmaster for help, please include this problem report.\r\n");
		break;
	case DSN_DELAY:
		put(o, "Your message has not been delivered yet to one or more recipients. You do\r\n"
		       "not need to send it again: we keep trying until\r\n");
		if (o->rc == 0)
			o->rc = date_format(o->s, (int64_t)(n->until_ms / 1000), 0);
		put(o, ".\r\n");
		break;
	case DSN_SUCCESS:
		put(o,
		    "Your message was delivered, or passed to a system that may not send such a\r\nreport, for these "
		       "recipients.\r\n");
		break;
	}
	for (i = 0; i < n->n_rcpts; i++) {
		const struct dsn_rcpt *r = &n->rcpts[i];

		put(o, "\r\n<");
		put_clean(o, span_sub(r->addr, 0, 900));
		put(o, ">");
		if (r->orig.n && !span_eq(r->orig, r->addr)) {
			put(o, " (expanded from <");
			put_clean(o, span_sub(r->orig, 0, 900));
			put(o, ">)");
		}
		put(o, ":\r\n    ");
		if (r->mta.n) {
			put(o, "host ");
			put_clean(o, span_sub(r->mta, 0, 300));
			put(o, " said:\r\n    ");
		}
		put_folded(o, r->text, 4);
		put(o, "\r\n");
	}
	put(o, "\r\n");
}

static void put_report_rcpt(struct out *o, const struct dsn_notice *n, const struct dsn_rcpt *r)
{
	static const char *const unknown[] = { "5.0.0", "4.0.0", "2.0.0" };

	put(o, "\r\n");
	if (r->orcpt.n) {
		put_field(o, "Original-Recipient", "", r->orcpt);
	} else if (r->orig.n) {
		put_field(o, "Original-Recipient", n->utf8 ? "utf-8;" : "rfc822;", r->orig);
	}
	put_field(o, "Final-Recipient", n->utf8 ? "utf-8; " : "rfc822; ", r->addr);
	put(o, "Action: %s\r\n", actions[r->action]);
	put(o, "Status: ");
	if (dsn_status_valid(r->status))
		put_clean(o, r->status);
	else
		put(o, "%s", unknown[n->kind]);
	put(o, "\r\n");
	put_field(o, "Remote-MTA", "dns; ", r->mta);
	if (r->text.n) {
		put(o, "Diagnostic-Code: %s; ", r->mta.n ? "smtp" : "X-Surat");
		put_folded(o, r->text, 26);
		put(o, "\r\n");
	}
	if (r->last_ms)
		put_date(o, "Last-Attempt-Date", r->last_ms);
	if (n->kind == DSN_DELAY)
		put_date(o, "Will-Retry-Until", n->until_ms);
}

static void put_report(struct out *o, const struct dsn_notice *n)
{
	size_t i;

	put(o, "--%.*s\r\nContent-Description: Delivery report\r\nContent-Type: message/%s\r\n%s\r\n",
	    SPAN_ARG(n->boundary),
	    n->utf8 ? "global-delivery-status" : "delivery-status",
	    words_are_8bit(n) ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	put(o, "Reporting-MTA: dns; %.*s\r\n", SPAN_ARG(n->hostname));
	put_field(o, "Original-Envelope-Id", "", n->envid);
	put(o, "X-Surat-Queue-ID: %.*s\r\n", SPAN_ARG(n->queue_id));
	put_date(o, "Arrival-Date", n->arrival_ms);
	for (i = 0; i < n->n_rcpts; i++)
		put_report_rcpt(o, n, &n->rcpts[i]);
	put(o, "\r\n");
}

/* The header with its last line end, without the empty line. */
static struct span header_of(struct span message)
{
	size_t line = 0, i;

	for (i = 0; i < message.n; i++) {
		if (message.p[i] != '\n')
			continue;
		if (i == line || (i == line + 1 && message.p[line] == '\r'))
			return span_sub(message, 0, line);
		line = i + 1;
	}
	return message;
}

static void put_original(struct out *o, const struct dsn_notice *n)
{
	struct span part = n->full ? n->original : header_of(n->original);

	put(o, "--%.*s\r\nContent-Description: %s\r\nContent-Type: %s\r\n%s\r\n", SPAN_ARG(n->boundary),
	    n->kind == DSN_FAILURE ? (n->full ? "Undelivered Message" : "Undelivered Message Headers")
				   : "Message Headers",
	    n->full ? (n->utf8 ? "message/global" : "message/rfc822")
		    : (n->utf8 ? "message/global-headers" : "text/rfc822-headers"),
	    utf8_is_ascii(part) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
	put_raw(o, part);
	if (part.n && part.p[part.n - 1] != '\n')
		put(o, "\r\n");
	put(o, "\r\n--%.*s--\r\n", SPAN_ARG(n->boundary));
}

static void strip_cr(struct str *s, size_t from)
{
	size_t i, to = from;

	for (i = from; i < s->n; i++) {
		if (s->p[i] != '\r' || i + 1 == s->n || s->p[i + 1] != '\n')
			s->p[to++] = s->p[i];
	}
	str_cut(s, to);
}

int dsn_format(struct str *out, const struct dsn_notice *n)
{
	struct out o = { out, 0 };
	size_t was = out->n;

	put_header(&o, n);
	put_words(&o, n);
	put_report(&o, n);
	put_original(&o, n);
	if (o.rc < 0)
		str_cut(out, was);
	else if (n->lf)
		strip_cr(out, was);
	return o.rc;
}
