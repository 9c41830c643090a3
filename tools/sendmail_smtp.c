#include "tools/sendmail_smtp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/write_all.h"

int sendmail_connect(const char *path, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(err, ERR_CONF, "%s: the path of the socket is too long", path);
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err_sys(err, "the mail system is down (surat start starts it): %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

struct dialogue {
	FILE *in;
	int fd;
	char line[4096];
};

static int put(struct dialogue *d, const char *p, size_t n, struct err *err)
{
	while (n) {
		ssize_t sent = send(d->fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return err_sys(err, "send to smtpd");
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* Reads one reply; its last line stays in d->line. 0 when it begins with want, else -1 with the server's words. */
static int expect(struct dialogue *d, char want, struct err *err)
{
	size_t n;

	do {
		if (!fgets(d->line, sizeof(d->line), d->in))
			return err_set(err, ERR_TEMP, "smtpd closed the connection");
		n = strlen(d->line);
		while (n && (d->line[n - 1] == '\n' || d->line[n - 1] == '\r'))
			d->line[--n] = '\0';
	} while (n > 3 && d->line[3] == '-');
	if (d->line[0] == want)
		return 0;
	return err_set(err, d->line[0] == '5' ? ERR_PERM : ERR_TEMP, "%s", d->line);
}

static int ask(struct dialogue *d, const struct str *command, char want, struct err *err)
{
	return put(d, command->p, command->n, err) < 0 ? -1 : expect(d, want, err);
}

/* RFC 3461 section 4: xtext */
static int add_xtext(struct str *s, const char *z)
{
	int rc = 0;

	for (; *z && rc == 0; z++) {
		if (*z <= ' ' || *z == '+' || *z == '=' || (unsigned char)*z > 126)
			rc = str_addf(s, "+%02X", (unsigned char)*z);
		else
			rc = str_addc(s, *z);
	}
	return rc;
}

static int say_mail(struct dialogue *d, const struct sendmail_envelope *env, const struct letter *l, struct err *err)
{
	struct str s = STR_INIT(8192);
	bool is_utf8 = l->is_utf8_header;
	size_t i;
	int rc = str_addf(&s, "MAIL FROM:<%s> SIZE=%zu", env->sender, l->text.n);

	for (i = 0; i < l->n_rcpts; i++) {
		const char *p;

		for (p = l->rcpts[i]; *p; p++)
			is_utf8 |= (unsigned char)*p > 127;
	}
	if (l->is_8bit)
		rc |= str_addz(&s, " BODY=8BITMIME");
	if (is_utf8)
		rc |= str_addz(&s, " SMTPUTF8");
	if (env->ret)
		rc |= str_addf(&s, " RET=%s", env->ret);
	if (env->envid)
		rc |= str_addz(&s, " ENVID=") | add_xtext(&s, env->envid);
	rc |= str_addz(&s, "\r\n");
	rc = rc < 0 ? err_set(err, ERR_PERM, "sender or envelope id is too long") : ask(d, &s, '2', err);
	str_fini(&s);
	return rc;
}

/* Refused recipients are named at once; the letter still goes to the others. */
static int say_rcpts(struct dialogue *d, const struct sendmail_envelope *env, const struct letter *l, size_t *good_r,
		     struct err *refused, struct err *err)
{
	size_t i;

	*good_r = 0;
	for (i = 0; i < l->n_rcpts; i++) {
		struct str s = STR_INIT(4096);
		struct err why = ERR_INIT;
		int rc = str_addf(&s, "RCPT TO:<%s>%s%s\r\n", l->rcpts[i], env->notify ? " NOTIFY=" : "",
				  env->notify ? env->notify : "");

		rc = rc < 0 ? err_set(&why, ERR_PERM, "address too long") : ask(d, &s, '2', &why);
		str_fini(&s);
		if (rc == 0) {
			(*good_r)++;
			continue;
		}
		if (why.kind == ERR_SYS || feof(d->in)) {
			*err = why;
			return -1;
		}
		fprintf(stderr, "sendmail: %s: %s\n", l->rcpts[i], why.msg);
		*refused = why;
	}
	return 0;
}

static int say_data(struct dialogue *d, const struct letter *l, struct err *err)
{
	struct str s = STR_INIT(16), body = STR_INIT(l->text.max * 2);
	struct span rest = str_span(&l->text), line;
	int rc;

	if (str_addz(&s, "DATA\r\n") < 0 || ask(d, &s, '3', err) < 0) {
		str_fini(&s);
		return -1;
	}
	str_fini(&s);
	rc = 0;
	while (rc == 0 && rest.n) {
		span_cut(rest, '\n', &line, &rest);
		if (line.n && line.p[0] == '.')
			rc = str_addc(&body, '.');
		if (rc == 0)
			rc = str_add_span(&body, line) < 0 ? -1 : str_addc(&body, '\n');
		if (body.n > 65536 || rest.n == 0) {
			rc = rc < 0 ? rc : put(d, body.p, body.n, err);
			str_reset(&body);
		}
	}
	str_fini(&body);
	if (rc < 0)
		return err_set(err, ERR_TEMP, "the letter could not be sent to smtpd");
	return put(d, ".\r\n", 3, err) < 0 ? -1 : expect(d, '2', err);
}

int sendmail_submit(int fd, const struct sendmail_envelope *env, const struct letter *l, struct err *err)
{
	struct dialogue d = { fdopen(dup(fd), "r"), fd, "" };
	struct str ehlo = STR_INIT(64);
	struct err refused = ERR_INIT;
	size_t good = 0;
	int rc = -1;

	if (!d.in)
		return err_sys(err, "fdopen");
	if (expect(&d, '2', err) == 0 && str_addz(&ehlo, "EHLO localhost\r\n") == 0 && ask(&d, &ehlo, '2', err) == 0 &&
	    say_mail(&d, env, l, err) == 0)
		rc = say_rcpts(&d, env, l, &good, &refused, err);
	if (rc == 0 && good)
		rc = say_data(&d, l, err);
	if (rc == 0)
		(void)!put(&d, "QUIT\r\n", 6, &(struct err)ERR_INIT);
	if (rc == 0 && refused.kind != ERR_NONE)
		rc = err_set(err, refused.kind, "not sent to %zu of %zu recipients", l->n_rcpts - good, l->n_rcpts);
	str_fini(&ehlo);
	fclose(d.in);
	return rc;
}

/* 1 more to come, 0 the end, -1 error */
static int carry(int from, int to)
{
	char buf[16384];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n <= 0)
		return n < 0 && errno == EINTR ? 1 : (int)n;
	return write_all(to, (struct span){ buf, (size_t)n }) < 0 ? -1 : 1;
}

int sendmail_relay(int fd, struct err *err)
{
	struct pollfd p[2] = { { STDIN_FILENO, POLLIN, 0 }, { fd, POLLIN, 0 } };

	for (;;) {
		int rc = 1;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (p[0].revents && (rc = carry(STDIN_FILENO, fd)) == 0) {
			shutdown(fd, SHUT_WR);
			p[0].fd = -1;
			rc = 1;
		}
		if (rc > 0 && p[1].revents)
			rc = carry(fd, STDOUT_FILENO);
		if (rc < 0)
			return err_sys(err, "relay to smtpd");
		if (rc == 0)
			return 0;
	}
}
