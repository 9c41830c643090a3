/* Plays a transcript against a smtpd worker. Lines:
 *   C: text     the client sends text and CRLF       R: text     raw, with \r \n \0 \\ \xHH
 *   S: pattern  the server sends a line that fits (fnmatch)
 *   @conf name = value    before the first connection, or before @reset      @client ADDR   @unix USER   @ptr NAME
 *   @connect    a new connection (the first S: or C: makes one too)          @close   @eof   the server has hung up
 *   @chunk N    send N bytes at a time; @whole: all at once whatever the run   @tls     handshake as a client
 *   @log GLOB   a log line that fits was written since the connection        @nolog GLOB
 *   @mail GLOB  envelope of the last message                                 @mails N   how many were queued
 *   @aborts N   how many were aborted                                        @body GLOB   a line of its content
 *   @nobody GLOB                                                             @cert      a certificate
 *   @away PEER / @back PEER       @refuse DSN / @accept                      @count N / @rate N
 *   @fill N     sends N lines of 64 bytes                                    @sessions N   still open
 *   @badconf GLOB   the configuration is refused so
 *   # comment; every transcript runs at its own chunk size and once more at 1, 2 and 7 bytes */
#include <errno.h>
#include <fnmatch.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "../script.h"
#include "fixture.h"

struct play {
	struct fixture f;
	const char *file;
	unsigned line;
	int fd;
	size_t chunk, forced_chunk;
	char addr[64], unix_user[64];
	struct str out, in;
	SSL_CTX *ctx;
	SSL *ssl;
	size_t log_from;
	bool eof;
};

static void NORETURN die(struct play *p, const char *what, const char *got)
{
	fprintf(stderr, "%s:%u (chunk %zu): %s\n  got: %s\n  log:\n%s", p->file, p->line, p->chunk, what, got,
		p->f.log.p);
	exit(1);
}

static void hang_up(struct play *p)
{
	SSL_free(p->ssl);
	p->ssl = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->eof = false;
	str_reset(&p->in);
	str_reset(&p->out);
	fixture_settle(&p->f);
}

static void open_connection(struct play *p)
{
	struct err err = ERR_INIT;

	if (p->fd >= 0)
		return;
	if (!p->f.svc && fixture_configure(&p->f, &err) < 0)
		die(p, "configuration refused", err.msg);
	p->log_from = p->f.log.n;
	p->fd = fixture_connect(&p->f, p->addr, p->unix_user[0] ? p->unix_user : NULL);
	fixture_settle(&p->f);
}

static ssize_t send_some(struct play *p, const char *from, size_t n)
{
	int rc;

	if (!p->ssl)
		return send(p->fd, from, n, MSG_NOSIGNAL);
	rc = SSL_write(p->ssl, from, (int)n);
	if (rc <= 0)
		errno = EAGAIN;
	return rc;
}

static bool take_input(struct play *p)
{
	char buf[4096];
	ssize_t n = p->ssl ? SSL_read(p->ssl, buf, sizeof(buf)) : recv(p->fd, buf, sizeof(buf), 0);

	if (n > 0)
		(void)!str_add(&p->in, buf, (size_t)n);
	else if (p->ssl ? SSL_get_error(p->ssl, (int)n) != SSL_ERROR_WANT_READ : n == 0 || errno != EAGAIN)
		p->eof = true;
	return n > 0;
}

static void send_all(struct play *p)
{
	size_t at = 0, spins = 0;

	if (p->out.n == 0)
		return;
	open_connection(p);
	while (at < p->out.n && !p->eof && spins < 200000) {
		size_t chunk = p->out.n > 20000 ? 4093 : p->chunk;
		size_t n = p->out.n - at < chunk ? p->out.n - at : chunk;
		ssize_t put = send_some(p, p->out.p + at, n);

		if (put > 0)
			at += (size_t)put;
		else if (errno != EAGAIN)
			break;
		loop_turn(&p->f.loop, false);
		spins += put <= 0;
	}
	str_reset(&p->out);
}

static void want_line(struct play *p, const char *pattern)
{
	ptrdiff_t lf;
	int tries = 0;
	char *line;

	open_connection(p);
	send_all(p);
	while ((lf = span_chr(str_span(&p->in), '\n')) < 0 && tries++ < 5000 && !(p->eof && !take_input(p))) {
		loop_turn(&p->f.loop, false);
		if (!take_input(p) && tries > 200)
			poll(NULL, 0, 1);
	}
	if (lf < 1)
		die(p, pattern, p->eof ? "end of connection" : p->in.p);
	line = xstrndup(p->in.p, (size_t)lf - (p->in.p[lf - 1] == '\r'));
	if (p->in.p[lf - 1] != '\r' || fnmatch(pattern, line, 0) != 0)
		die(p, pattern, line);
	free(line);
	str_drop(&p->in, (size_t)lf + 1);
}

static void want_eof(struct play *p)
{
	int tries = 0;

	send_all(p);
	while (!p->eof && tries++ < 3000) {
		loop_turn(&p->f.loop, false);
		if (!take_input(p) && tries > 200)
			poll(NULL, 0, 1);
	}
	if (!p->eof || p->in.n)
		die(p, "end of connection wanted", p->in.p);
	hang_up(p);
}

static bool has_line(struct span text, const char *pattern)
{
	struct span line;
	bool found = false;

	while (!found && text.n) {
		char *z;

		span_cut(text, '\n', &line, &text);
		z = xstrndup(line.p, line.n);
		found = fnmatch(pattern, z, 0) == 0;
		free(z);
	}
	return found;
}

static void start_tls(struct play *p)
{
	int i, rc = 0;

	send_all(p);
	if (!p->ctx) {
		p->ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_verify(p->ctx, SSL_VERIFY_NONE, NULL);
	}
	open_connection(p);
	p->ssl = SSL_new(p->ctx);
	SSL_set_fd(p->ssl, p->fd);
	for (i = 0; i < 1000 && (rc = SSL_connect(p->ssl)) != 1; i++)
		loop_turn(&p->f.loop, false);
	if (rc != 1)
		die(p, "TLS handshake", "failed");
}

static enum fixture_peer peer_of(struct play *p, const char *name)
{
	static const char *const names[] = { "resolve", "auth", "anvil", "queue" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0)
			return (enum fixture_peer)i;
	}
	die(p, "no such peer", name);
}

static void set_conf(struct play *p, const char *arg)
{
	hang_up(p);
	service_unref(&p->f.svc);
	(void)!str_addf(&p->f.settings, "%s\n", arg);
}

static void bad_conf(struct play *p, const char *arg)
{
	struct err err = ERR_INIT;

	if (fixture_configure(&p->f, &err) == 0)
		die(p, "the configuration should be refused", "it was taken");
	if (fnmatch(arg, err.msg, 0) != 0)
		die(p, arg, err.msg);
	str_reset(&p->f.settings);
}

static void expect_number(struct play *p, const char *what, size_t have, const char *arg)
{
	char text[100];

	snprintf(text, sizeof(text), "%zu", have);
	if (strcmp(text, arg) != 0)
		die(p, what, text);
}

/* What the world is like. */
static bool set_up(struct play *p, const char *word, const char *arg)
{
	if (strcmp(word, "conf") == 0)
		set_conf(p, arg);
	else if (strcmp(word, "badconf") == 0)
		bad_conf(p, arg);
	else if (strcmp(word, "client") == 0)
		snprintf(p->addr, sizeof(p->addr), "%s", arg);
	else if (strcmp(word, "unix") == 0)
		snprintf(p->unix_user, sizeof(p->unix_user), "%s", arg);
	else if (strcmp(word, "ptr") == 0)
		snprintf(p->f.ptr, sizeof(p->f.ptr), "%s", arg);
	else if (strcmp(word, "cert") == 0)
		p->f.pem = span_z(fixture_make_pem());
	else if (strcmp(word, "chunk") == 0)
		p->chunk = p->forced_chunk ? p->forced_chunk : strtoul(arg, NULL, 10);
	else if (strcmp(word, "whole") == 0)
		p->chunk = 1000000;
	else if (strcmp(word, "away") == 0)
		fixture_away(&p->f, peer_of(p, arg));
	else if (strcmp(word, "back") == 0)
		fixture_back(&p->f, peer_of(p, arg));
	else if (strcmp(word, "refuse") == 0)
		p->f.fail_dsn = strcmp(arg, "4.3.1") == 0 ? "4.3.1" : "4.3.0";
	else if (strcmp(word, "accept") == 0)
		p->f.fail_dsn = NULL;
	else if (strcmp(word, "count") == 0)
		p->f.count = strtoul(arg, NULL, 10);
	else if (strcmp(word, "rate") == 0)
		p->f.rate = strtoul(arg, NULL, 10);
	else
		return false;
	return true;
}

static void check_state(struct play *p, const char *word, const char *arg)
{
	struct span log;

	send_all(p);
	fixture_settle(&p->f);
	log = span_from(str_span(&p->f.log), p->log_from);
	if (strcmp(word, "log") == 0 ? !has_line(log, arg) : strcmp(word, "nolog") == 0 && has_line(log, arg))
		die(p, word, arg);
	if (strcmp(word, "mail") == 0 && fnmatch(arg, p->f.mail.p, 0) != 0)
		die(p, arg, p->f.mail.p);
	if (strcmp(word, "body") == 0 ? !has_line(str_span(&p->f.body), arg) :
	    strcmp(word, "nobody") == 0 && has_line(str_span(&p->f.body), arg))
		die(p, word, p->f.body.p);
	if (strcmp(word, "mails") == 0)
		expect_number(p, word, p->f.n_mails, arg);
	if (strcmp(word, "aborts") == 0)
		expect_number(p, word, p->f.n_aborts, arg);
	if (strcmp(word, "sessions") == 0)
		expect_number(p, word, p->f.server.n_sessions, arg);
}

static void directive(struct play *p, char *word)
{
	static const char *const checks[] = { "log", "nolog", "mail", "mails", "aborts", "body", "nobody", "sessions" };
	char *arg = word + strcspn(word, " ");
	size_t i;

	if (*arg)
		*arg++ = '\0';
	for (i = 0; i < ARRAY_LEN(checks); i++) {
		if (strcmp(word, checks[i]) == 0) {
			check_state(p, word, arg);
			return;
		}
	}
	if (set_up(p, word, arg))
		return;
	if (strcmp(word, "connect") == 0) {
		hang_up(p);
		open_connection(p);
	} else if (strcmp(word, "close") == 0) {
		send_all(p);
		fixture_settle(&p->f);
		hang_up(p);
	} else if (strcmp(word, "eof") == 0) {
		want_eof(p);
	} else if (strcmp(word, "tls") == 0) {
		start_tls(p);
	} else if (strcmp(word, "fill") == 0) {
		for (i = strtoul(arg, NULL, 10); i > 0; i--)
			(void)!str_addz(&p->out, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n");
	} else {
		die(p, "unknown directive", word);
	}
}

static bool play_line(void *arg, char *line)
{
	struct play *p = arg;

	if (strncmp(line, "C: ", 3) == 0 || strcmp(line, "C:") == 0)
		(void)!str_addf(&p->out, "%s\r\n", line + (line[2] ? 3 : 2));
	else if (strncmp(line, "R: ", 3) == 0)
		script_raw(&p->out, line + 3);
	else if (strncmp(line, "S: ", 3) == 0)
		want_line(p, line + 3);
	else if (line[0] == '@')
		directive(p, line + 1);
	else if (line[0] && line[0] != '#')
		die(p, "unknown line", line);
	return true;
}

static void play(const char *file, size_t forced_chunk)
{
	struct play *p = xnew(struct play);

	p->file = file;
	p->fd = -1;
	p->chunk = forced_chunk ? forced_chunk : 1000000;
	p->forced_chunk = forced_chunk;
	snprintf(p->addr, sizeof(p->addr), "192.0.2.1");
	str_init(&p->out, 100000000);
	str_init(&p->in, 10000000);
	fixture_init(&p->f);
	script_read(file, &p->line, play_line, p);
	send_all(p);
	hang_up(p);
	if (p->f.server.n_sessions)
		die(p, "sessions left", "");
	SSL_CTX_free(p->ctx);
	fixture_fini(&p->f);
	free((void *)(uintptr_t)p->f.pem.p);
	str_fini(&p->out);
	str_fini(&p->in);
	free(p);
}

int main(int argc, char **argv)
{
	static const size_t chunks[] = { 0, 1, 2, 7 };

	return script_main(argc, argv, play, chunks, ARRAY_LEN(chunks));
}
