/* The TRANSACTION state: RFC 1939 sections 5 and 7, 2449 (CAPA, response codes, pipelining). */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "pop3d/session.h"
#include "proto/pop3.h"

#define BAD_MAX 20
#define CHUNK 32768

enum { NEEDS_MSG = 1, MAY_MSG = 2, HAS_MORE = 4 };        /* HAS_MORE: the command reads on behind the message */

struct cmd {
	const char *verb;
	/* m: the message named, NULL where it is optional and missing; args: what follows it */
	int (*fn)(struct session *s, struct message *m, struct span args);
	unsigned flags;
};

static int bad(struct session *s, const char *text)
{
	if (session_putf(s, "-ERR %s\r\n", text) < 0)
		return -1;
	if (++s->n_bad < BAD_MAX)
		return 0;
	s->reason = "Too many bad commands";
	return -1;
}

static size_t number_of(const struct session *s, const struct message *m)
{
	return (size_t)(m - s->box->v) + 1;
}

/* A failure of the disk: said to the client, told to the log, and the session goes on. */
static int trouble(struct session *s, const struct message *m, const struct err *err)
{
	size_t number = number_of(s, m);

	if (err->kind == ERR_PERM)
		return session_putf(s, "-ERR Message %zu is gone: another session has removed it.\r\n", number);
	log_error("pop3(%s)<%d><%s>: %s", s->start->user, (int)getpid(), s->start->session, err->msg);
	return session_putf(s, "-ERR [SYS/TEMP] Message %zu cannot be read now.\r\n", number);
}

static int sum(struct session *s, uint64_t *n_r, uint64_t *bytes_r, struct message **bad_r, struct err *err)
{
	size_t i;

	*n_r = *bytes_r = 0;
	*bad_r = s->box->v;
	if (maildrop_measure(s->box, err) < 0)
		return -1;
	for (i = 0; i < s->box->n; i++) {
		struct message *m = &s->box->v[i];
		uint64_t size;

		if (m->is_deleted)
			continue;
		if (maildrop_size(s->box, m, &size, err) < 0) {
			*bad_r = m;
			return -1;
		}
		++*n_r;
		*bytes_r += size;
	}
	if (*bytes_r > s->total)
		s->total = *bytes_r;
	return 0;
}

static int cmd_stat(struct session *s, struct message *m, struct span args)
{
	struct err err = ERR_INIT;
	uint64_t n, bytes;

	if (sum(s, &n, &bytes, &m, &err) < 0)
		return trouble(s, m, &err);
	return session_putf(s, "+OK %" PRIu64 " %" PRIu64 "\r\n", n, bytes);
}

static int cmd_list(struct session *s, struct message *m, struct span args)
{
	struct err err = ERR_INIT;
	uint64_t n, bytes;
	size_t i;

	if (m) {
		if (maildrop_size(s->box, m, &bytes, &err) < 0)
			return trouble(s, m, &err);
		return session_putf(s, "+OK %zu %" PRIu64 "\r\n", number_of(s, m), bytes);
	}
	/* all sizes first: a failure cannot be told once the list has begun */
	if (sum(s, &n, &bytes, &m, &err) < 0)
		return trouble(s, m, &err);
	if (session_putf(s, "+OK %" PRIu64 " messages:\r\n", n) < 0)
		return -1;
	for (i = 0; i < s->box->n; i++) {
		if (!s->box->v[i].is_deleted && session_putf(s, "%zu %" PRIu64 "\r\n", i + 1, s->box->v[i].size) < 0)
			return -1;
	}
	return session_put(s, ".\r\n", 3);
}

static int put_uidl(struct session *s, const struct message *m, const char *before)
{
	struct str text = STR_INIT(65536);
	struct err err = ERR_INIT;
	int rc = maildrop_uidl(s->box, m, s->conf->pop3_uidl_format, &text, &err);

	if (rc < 0)
		log_error("pop3(%s)<%d><%s>: %s", s->start->user, (int)getpid(), s->start->session, err.msg);
	else
		rc = session_putf(s, "%s%zu %s\r\n", before, number_of(s, m), text.p);
	str_fini(&text);
	return rc;
}

static int cmd_uidl(struct session *s, struct message *m, struct span args)
{
	size_t i;

	if (m)
		return put_uidl(s, m, "+OK ");
	if (session_putf(s, "+OK\r\n") < 0)
		return -1;
	for (i = 0; i < s->box->n; i++) {
		if (!s->box->v[i].is_deleted && put_uidl(s, &s->box->v[i], "") < 0)
			return -1;
	}
	return session_put(s, ".\r\n", 3);
}

/* Sends the file; *bytes_r counts octets on the wire. A read error in the middle can only be told by hanging up. */
static int send_message(struct session *s, int fd, uint64_t body_lines, uint64_t *bytes_r)
{
	struct str out = STR_INIT(2 * CHUNK + 16);
	struct pop3_writer w;
	char buf[CHUNK];
	bool is_done = false;
	ssize_t n = 0;
	int rc = 0;

	pop3_write_begin(&w, body_lines);
	while (rc == 0 && !is_done && (n = read(fd, buf, sizeof(buf))) > 0) {
		str_reset(&out);
		BUG(pop3_write(&w, (struct span){ buf, (size_t)n }, &out, &is_done) < 0);
		*bytes_r += out.n;
		rc = session_put(s, out.p, out.n);
	}
	if (rc == 0 && n < 0) {
		log_error("pop3(%s)<%d><%s>: reading a message: %m", s->start->user, (int)getpid(), s->start->session);
		s->reason = "Internal error while reading a message";
		rc = -1;
	}
	str_reset(&out);
	if (rc == 0) {
		BUG(pop3_write_end(&w, &out) < 0);
		rc = session_put(s, out.p, out.n);
	}
	str_fini(&out);
	return rc;
}

static int cmd_retr(struct session *s, struct message *m, struct span args)
{
	struct err err = ERR_INIT;
	uint64_t size;
	int fd, rc;

	if (maildrop_size(s->box, m, &size, &err) < 0)
		return trouble(s, m, &err);
	fd = maildrop_read(s->box, m, &err);
	if (fd < 0)
		return trouble(s, m, &err);
	rc = session_putf(s, "+OK %" PRIu64 " octets\r\n", size);
	if (rc == 0)
		rc = send_message(s, fd, UINT64_MAX, &s->retr_bytes);
	close(fd);
	if (rc < 0)
		return -1;
	s->n_retr++;
	if (!s->conf->pop3_no_flag_updates)
		maildrop_set_seen(s->box, m);
	return 0;
}

static int cmd_top(struct session *s, struct message *m, struct span args)
{
	struct err err = ERR_INIT;
	uint64_t lines;
	int fd, rc;

	if (pop3_number(&args, UINT64_MAX - 1, &lines) < 0 || span_trim(args).n)
		return bad(s, "Invalid number of lines.");
	fd = maildrop_read(s->box, m, &err);
	if (fd < 0)
		return trouble(s, m, &err);
	rc = session_putf(s, "+OK\r\n");
	if (rc == 0)
		rc = send_message(s, fd, lines, &s->top_bytes);
	close(fd);
	s->n_top += rc == 0;
	return rc;
}

static int cmd_dele(struct session *s, struct message *m, struct span args)
{
	m->is_deleted = true;
	return session_putf(s, "+OK Marked to be deleted.\r\n");
}

static int cmd_rset(struct session *s, struct message *m, struct span args)
{
	size_t i;

	for (i = 0; i < s->box->n; i++)
		s->box->v[i].is_deleted = false;
	return session_putf(s, "+OK\r\n");
}

static int cmd_noop(struct session *s, struct message *m, struct span args)
{
	return session_putf(s, "+OK\r\n");
}

/* What holds before the login is announced behind it too (RFC 2449 section 5); only STLS belongs there alone. */
static int cmd_capa(struct session *s, struct message *m, struct span args)
{
	return session_putf(s, "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n%sEXPIRE NEVER\r\n"
			       "IMPLEMENTATION Surat\r\n.\r\n", s->start->capa);
}

static int cmd_quit(struct session *s, struct message *m, struct span args)
{
	s->has_quit = true;
	return -1;
}

static const struct cmd cmds[] = {
	{ "STAT", cmd_stat, 0 },         { "LIST", cmd_list, MAY_MSG },  { "RETR", cmd_retr, NEEDS_MSG },
	{ "DELE", cmd_dele, NEEDS_MSG }, { "NOOP", cmd_noop, 0 },        { "RSET", cmd_rset, 0 },
	{ "QUIT", cmd_quit, 0 },         { "TOP", cmd_top, NEEDS_MSG | HAS_MORE }, { "UIDL", cmd_uidl, MAY_MSG },
	{ "CAPA", cmd_capa, 0 },
};

static int run(struct session *s, const struct cmd *c, struct span args)
{
	struct message *m = NULL;
	uint64_t number;

	if (c->flags && (c->flags & NEEDS_MSG || span_trim(args).n)) {
		if (pop3_number(&args, SIZE_MAX, &number) < 0 || (!(c->flags & HAS_MORE) && span_trim(args).n))
			return bad(s, "Invalid message number.");
		if (number == 0 || number > s->box->n)
			return bad(s, "There's no such message.");
		m = &s->box->v[number - 1];
		if (m->is_deleted)
			return bad(s, "Message is deleted.");
	}
	return c->fn(s, m, args);
}

int command_run(struct session *s, struct span line)
{
	struct span verb, args;
	unsigned n_bad = s->n_bad;
	size_t i = 0;
	int rc;

	if (pop3_parse(line, &verb, &args) < 0)
		return bad(s, "Unknown command.");
	while (i < ARRAY_LEN(cmds) && !span_eq_nocase(verb, cmds[i].verb))
		i++;
	rc = i < ARRAY_LEN(cmds) ? run(s, &cmds[i], args) : bad(s, "Unknown command.");
	if (s->n_bad == n_bad)
		s->n_bad = 0;
	return rc;
}
