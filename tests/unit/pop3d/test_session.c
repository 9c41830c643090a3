/* POP3 sessions as transcripts against a Maildir on disk; the session runs in a child process as in production. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/params.h"
#include "pop3d/child.h"
#include "pop3d/maildrop.h"

#define UID_A 61234
#define UID_B 61235

static char root[64], mail[256];
static struct pop3d_conf conf;
static struct child_start start;

struct client {
	int fd, log;
	pid_t pid;
	struct str in;
	char log_text[8192];
};

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void read_conf(const char *options)
{
	struct conf_errors errors = { 0 };
	struct conf c = { 0 };
	struct err err = ERR_INIT;
	static struct arena a;

	arena_reset(&a);
	assert_int_equal(conf_parse(&c, "test", span_z(options), &errors), 0);
	if (pop3d_conf_read(&conf, &c, &a, &err) < 0)
		fail_msg("%s", err.msg);
	conf_fini(&c);
	conf_errors_fini(&errors);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/login-pop3d-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0755), 0);
	snprintf(mail, sizeof(mail), "%s/Maildir", root);
	read_conf("");
	start = (struct child_start){ .user = "tito@example.com", .system_user = "", .home = root, .mail = mail,
				      .index = "",
				.session = "S1", .capa = "USER\r\nSASL PLAIN LOGIN\r\n", .conf = &conf, .is_sandboxed = true };
	return 0;
}

static int teardown(void **state)
{
	nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void make_maildir(void)
{
	struct maildir md = MAILDIR_INIT;
	struct err err = ERR_INIT;

	if (maildir_open(&md, root, "Maildir", MAILDIR_CREATE, &err) < 0)
		fail_msg("%s", err.msg);
	maildir_close(&md);
}

static void put(const char *name, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", mail, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static bool exists(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", mail, name);
	return access(path, F_OK) == 0;
}

static void put_three(void)
{
	make_maildir();
	put("new/1.a,S=18,W=22", "A: one\n\n.dot\nline\n");
	put("cur/2.b:2,F", "A: two\n\nx\n");
	put("cur/3.c:2,S", "A: three\r\n\r\ny\r\nz");
}

/* ---- the client ---- */

static void log_to_fd(void *arg, enum log_level level, const char *line)
{
	dprintf((int)(intptr_t)arg, "%s\n", line);
}

static void client_open(struct client *c)
{
	struct err err = ERR_INIT;
	int fds[2], logs[2];

	*c = (struct client){ 0 };
	str_init(&c->in, 1 << 26);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(pipe2(logs, O_CLOEXEC), 0);
	c->pid = fork();
	if (c->pid == 0) {
		int rc;

		close(fds[0]);
		log_set_sink(log_to_fd, (void *)(intptr_t)logs[1]);
		rc = child_serve(&start, fds[1], &err);
		if (rc < 0)
			log_error("%s", err.msg);
		_exit(rc < 0);
	}
	close(fds[1]);
	close(logs[1]);
	c->fd = fds[0];
	c->log = logs[0];
}

static bool read_some(struct client *c)
{
	char buf[65536];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n > 0)
		assert_int_equal(str_add(&c->in, buf, (size_t)n), 0);
	return n > 0;
}

static void say(struct client *c, const char *text)
{
	(void)!send(c->fd, text, strlen(text), MSG_NOSIGNAL);
}

static void expect(struct client *c, const char *label, struct span want, bool is_prefix)
{
	struct span line, rest;

	while (!span_cut(str_span(&c->in), '\n', &line, &rest)) {
		if (!read_some(c))
			fail_msg("%s: wanted \"%.*s\", got the end", label, SPAN_ARG(want));
	}
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		fail_msg("%s: line without CR: %.*s", label, SPAN_ARG(line));
	line.n--;
	if (is_prefix ? line.n < want.n || memcmp(line.p, want.p, want.n) != 0 : !span_eq(line, want))
		fail_msg("%s: wanted \"%.*s\", got \"%.*s\"", label, SPAN_ARG(want), SPAN_ARG(line));
	str_drop(&c->in, c->in.n - rest.n);
}

/* "C: text", "S: line", "S* begin of a line", "E" the end. */
static void script(struct client *c, const char *text)
{
	struct span all = span_z(text), line;
	char buf[2048];

	while (all.n) {
		span_cut(all, '\n', &line, &all);
		if (line.p[0] == 'C') {
			snprintf(buf, sizeof(buf), "%.*s\r\n", SPAN_ARG(span_from(line, 3)));
			say(c, buf);
		} else if (line.p[0] == 'S') {
			expect(c, text, span_from(line, 3), line.p[1] == '*');
		} else {
			if (c->in.n || read_some(c))
				fail_msg("wanted the end, got \"%s\"", c->in.p);
		}
	}
}

static int client_close(struct client *c)
{
	size_t n = 0;
	ssize_t got;
	int status;

	close(c->fd);
	while ((got = read(c->log, c->log_text + n, sizeof(c->log_text) - 1 - n)) > 0)
		n += (size_t)got;
	close(c->log);
	str_fini(&c->in);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return status;
}

static void session(const char *text)
{
	struct client c;

	client_open(&c);
	script(&c, "S: +OK Logged in.\n");
	script(&c, text);
	assert_int_equal(client_close(&c), 0);
}

/* ---- RFC 1939 ---- */

static void test_transaction(void **state)
{
	put_three();
	session("C: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: RESP-CODES\nS: AUTH-RESP-CODE\nS: PIPELINING\nS: USER\nS: SASL PLAIN LOGIN\n"
		"S: EXPIRE NEVER\nS: IMPLEMENTATION Surat\nS: .\nC: QUIT\nS: +OK Logging out.\nE\n");
	session("C: STAT\nS: +OK 3 53\nC: LIST\nS: +OK 3 messages:\nS: 1 22\nS: 2 13\nS: 3 18\nS: .\n"
		"C: LIST 2\nS: +OK 2 13\nC: NOOP\nS: +OK\n"
		"C: RETR 1\nS: +OK 22 octets\nS: A: one\nS: \nS: ..dot\nS: line\nS: .\n"
		"C: RETR 3\nS: +OK 18 octets\nS: A: three\nS: \nS: y\nS: z\nS: .\n"
		"C: TOP 1 0\nS: +OK\nS: A: one\nS: \nS: .\n"
		"C: TOP 1 1\nS: +OK\nS: A: one\nS: \nS: ..dot\nS: .\n"
		"C: TOP 1 18446744073709551614\nS: +OK\nS: A: one\nS: \nS: ..dot\nS: line\nS: .\n"
		"C: QUIT\nS: +OK Logging out.\nE\n");
	/* RETR marks seen and takes out of new/; TOP alone does not */
	assert_true(exists("cur/1.a,S=18,W=22:2,S"));
	assert_true(exists("cur/2.b:2,F"));
	assert_true(exists("cur/3.c:2,S"));
	/* from the index now, also that the last line of 3 has no end */
	session("C: STAT\nS: +OK 3 53\nC: LIST 3\nS: +OK 3 18\nC: QUIT\nS: +OK Logging out.\nE\n");
	assert_true(exists("surat-index"));
}

static void test_errors(void **state)
{
	put_three();
	session("C: LIST 0\nS: -ERR There's no such message.\nC: LIST 4\nS: -ERR There's no such message.\n"
		"C: RETR\nS: -ERR Invalid message number.\nC: RETR x\nS: -ERR Invalid message number.\n"
		"C: RETR -1\nS: -ERR Invalid message number.\nC: RETR 4294967297\nS: -ERR There's no such message.\n"
		"C: RETR 18446744073709551616\nS: -ERR Invalid message number.\n"
		"C: RETR 9223372036854775808\nS: -ERR There's no such message.\n"
		"C: TOP 1\nS: -ERR Invalid number of lines.\nC: TOP 1 -1\nS: -ERR Invalid number of lines.\n"
		"C: TOP 1 0 1\nS: -ERR Invalid number of lines.\nC: TOP 1 18446744073709551616\nS: -ERR Invalid number of lines.\n"
		"C: LIST 1 2\nS: -ERR Invalid message number.\nC: UIDL 1 x\nS: -ERR Invalid message number.\n"
		"C: RETR 1 2\nS: -ERR Invalid message number.\nC: DELE 1 3\nS: -ERR Invalid message number.\n"
		"C: LIST  1 \nS: +OK 1 22\nC: STAT x\nS: +OK 3 53\n"
		"C: DELE 2\nS: +OK Marked to be deleted.\nC: RETR 2\nS: -ERR Message is deleted.\n"
		"C: DELE 2\nS: -ERR Message is deleted.\nC: LIST 2\nS: -ERR Message is deleted.\n"
		"C: UIDL 2\nS: -ERR Message is deleted.\nC: LAST\nS: -ERR Unknown command.\n"
		"C: USER tito\nS: -ERR Unknown command.\nC: STLS\nS: -ERR Unknown command.\nC: \nS: -ERR Unknown command.\n"
		"C: STAT\nS: +OK 2 40\nC: LIST\nS: +OK 2 messages:\nS: 1 22\nS: 3 18\nS: .\n"
		"C: RSET\nS: +OK\nC: STAT\nS: +OK 3 53\nC: QUIT\nS: +OK Logging out.\nE\n");
	assert_true(exists("cur/2.b:2,F"));
}

static void test_delete(void **state)
{
	static const char *const rows[] = { "E", "C: STAT\nS: +OK 1 18\n",
					   "C: QUIT\nS: +OK Logging out, messages deleted.\nE\n" };
	size_t i;

	put_three();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct client c;

		client_open(&c);
		script(&c, "S: +OK Logged in.\nC: DELE 1\nS: +OK Marked to be deleted.\nC: DELE 2\nS: +OK Marked to be deleted.\n");
		if (i > 0)
			script(&c, rows[i]);
		assert_int_equal(client_close(&c), 0);
		/* only QUIT leads to UPDATE */
		assert_int_equal(exists("new/1.a,S=18,W=22"), i < 2);
		assert_int_equal(exists("cur/2.b:2,F"), i < 2);
		assert_true(exists("cur/3.c:2,S"));
		if (i == 2)
			assert_non_null(strstr(c.log_text,
					       "<S1>: Disconnected: Logged out top=0/0, retr=0/0, del=2/3, size=53"));
		else
			assert_non_null(strstr(c.log_text,
					       "<S1>: Disconnected: Connection closed top=0/0, retr=0/0, del=0/3, size="));
	}
}

static char *uidl_of(const char *options)
{
	static char line[512];
	struct client c;

	read_conf(options);
	client_open(&c);
	script(&c, "S: +OK Logged in.\nC: UIDL 1\n");
	while (!memchr(c.in.p, '\n', c.in.n))
		assert_true(read_some(&c));
	snprintf(line, sizeof(line), "%.*s", (int)(c.in.n - 2), c.in.p);
	client_close(&c);
	return line;
}

static void test_uidl(void **state)
{
	make_maildir();
	put("dovecot-uidlist", "3 V1273668413 N41 G3a7d26014c8b9c5be1110000b7a34d22\n"
			       "7 :100.a\n9 Pold-id-9 :101.b\n");
	put("cur/100.a:2,S", "A: b\n\n");
	put("new/101.b", "A: b\n\n");
	put("new/99.c", "A: b\n\n");
	session("C: UIDL\nS: +OK\nS: 1 000000074beaa33d\nS: 2 old-id-9\nS: 3 000000294beaa33d\nS: .\n"
		"C: UIDL 3\nS: +OK 3 000000294beaa33d\nC: DELE 1\nS: +OK Marked to be deleted.\n"
		"C: UIDL\nS: +OK\nS: 2 old-id-9\nS: 3 000000294beaa33d\nS: .\nC: QUIT\nS: +OK Logging out, messages deleted.\nE\n");
	/* the next session counts anew, the ids stay */
	session("C: UIDL\nS: +OK\nS: 1 old-id-9\nS: 2 000000294beaa33d\nS: .\n");
	put("dovecot-uidlist", "3 V1 N2 G3a7d26014c8b9c5be1110000b7a34d22\n1 :101.b\n");
	assert_string_equal(uidl_of("pop3_uidl_format = %g\n"), "+OK 1 101.b");
	assert_string_equal(uidl_of("pop3_uidl_format = %Ug\n"), "+OK 1 101.B");
	put("dovecot-uidlist", "3 V1 N2 G3a7d26014c8b9c5be1110000b7a34d22\n1 W6 Gb7a34d22-of-elsewhere :101.b\n");
	assert_string_equal(uidl_of("pop3_uidl_format = %v.%u\n"), "+OK 1 1.1");
	assert_string_equal(uidl_of("pop3_uidl_format = %f\n"), "+OK 1 101.b");
	assert_string_equal(uidl_of("pop3_uidl_format = %g-%u\n"), "+OK 1 b7a34d22-of-elsewhere-1");
}

static void test_empty_and_missing(void **state)
{
	char deep[160];

	/* a Maildir that is missing is made, folders above it too */
	session("C: STAT\nS: +OK 0 0\nC: LIST\nS: +OK 0 messages:\nS: .\nC: UIDL\nS: +OK\nS: .\n"
		"C: QUIT\nS: +OK Logging out.\nE\n");
	assert_true(exists("cur") && exists("new") && exists("tmp"));
	snprintf(deep, sizeof(deep), "%s/vhosts/example.com/tito", root);
	start.mail = deep;
	start.home = xstrndup(deep, strlen(deep) - 5);
	session("C: STAT\nS: +OK 0 0\nC: QUIT\nS: +OK Logging out.\nE\n");
	free((char *)(uintptr_t)start.home);
	snprintf(deep, sizeof(deep), "%s/vhosts/example.org/tito", root);
	start.home = "";
	session("C: STAT\nS: +OK 0 0\nC: QUIT\nS: +OK Logging out.\nE\n");
	assert_int_equal(access(deep, F_OK), 0);
}

/* Other programs change the Maildir while the session lasts. */
static void test_changes(void **state)
{
	struct client c;
	char from[300], to[300];

	put_three();
	client_open(&c);
	script(&c, "S: +OK Logged in.\nC: STAT\nS: +OK 3 53\n");
	snprintf(from, sizeof(from), "%s/new/1.a,S=18,W=22", mail);
	snprintf(to, sizeof(to), "%s/cur/1.a,S=18,W=22:2,RS", mail);
	assert_int_equal(rename(from, to), 0);
	snprintf(from, sizeof(from), "%s/cur/2.b:2,F", mail);
	assert_int_equal(unlink(from), 0);
	put("new/4.d", "A: four\n\n");
	script(&c, "C: RETR 1\nS: +OK 22 octets\nS: A: one\nS: \nS: ..dot\nS: line\nS: .\n"
		   "C: RETR 2\nS: -ERR Message 2 is gone: another session has removed it.\n"
		   "C: TOP 2 0\nS: -ERR Message 2 is gone: another session has removed it.\n"
		   "C: RETR 4\nS: -ERR There's no such message.\n"
		   "C: STAT\nS: +OK 3 53\nC: LIST 2\nS: +OK 2 13\nC: LIST\nS: +OK 3 messages:\nS: 1 22\nS: 2 13\nS: 3 18\nS: .\n");
	snprintf(from, sizeof(from), "%s/cur/3.c:2,S", mail);
	snprintf(to, sizeof(to), "%s/cur/3.c:2,FS", mail);
	assert_int_equal(rename(from, to), 0);
	script(&c, "C: DELE 2\nS: +OK Marked to be deleted.\nC: DELE 3\nS: +OK Marked to be deleted.\n"
		   "C: QUIT\nS: +OK Logging out, messages deleted.\nE\n");
	assert_int_equal(client_close(&c), 0);
	assert_false(exists("cur/3.c:2,FS"));
	assert_true(exists("cur/1.a,S=18,W=22:2,RS"));
	session("C: STAT\nS: +OK 2 33\n");
}

/* Nobody knew the size of what is gone; it has one all the same. */
static void test_gone_before_size(void **state)
{
	struct client c;
	char path[300];

	put_three();
	client_open(&c);
	script(&c, "S: +OK Logged in.\n");
	snprintf(path, sizeof(path), "%s/cur/2.b:2,F", mail);
	assert_int_equal(unlink(path), 0);
	script(&c, "C: LIST\nS: +OK 3 messages:\nS: 1 22\nS: 2 0\nS: 3 18\nS: .\nC: LIST 2\nS: +OK 2 0\nC: STAT\nS: +OK 3 40\n"
		   "C: QUIT\nS: +OK Logging out.\nE\n");
	assert_int_equal(client_close(&c), 0);
}

static void test_options(void **state)
{
	struct client a, b;

	put_three();
	read_conf("pop3_no_flag_updates = yes\npop3_fast_size_lookups = yes\npop3_logout_format = r=%r i=%i m=%m %%\n");
	client_open(&a);
	script(&a, "S: +OK Logged in.\nC: STAT\nS: +OK 3 44\nC: RETR 2\nS: +OK 10 octets\nS: A: two\nS: \nS: x\nS: .\n"
		   "C: QUIT\nS: +OK Logging out.\nE\n");
	assert_int_equal(client_close(&a), 0);
	assert_true(exists("cur/2.b:2,F"));
	assert_non_null(strstr(a.log_text, "Logged out r=1 i=20 m=3 %"));
	read_conf("pop3_lock_session = yes\n");
	client_open(&a);
	script(&a, "S: +OK Logged in.\n");
	client_open(&b);
	script(&b, "S: -ERR [IN-USE] Mailbox is locked by another session.\nE\n");
	client_close(&b);
	assert_non_null(strstr(b.log_text, "<S1>: Disconnected: Mailbox is locked by another session. top=0/0"));
	assert_null(strstr(b.log_text, "error:"));
	script(&a, "C: QUIT\nS: +OK Logging out.\nE\n");
	client_close(&a);
	session("C: QUIT\nS: +OK Logging out.\nE\n");
}

static void test_pipelining(void **state)
{
	put_three();
	start.input = SPAN_LIT("STAT\r\nLIST 1\r\nRE");
	session("S: +OK 3 53\nS: +OK 1 22\nC: TR 2\nS: +OK 13 octets\nS: A: two\nS: \nS: x\nS: .\n");
	start.input = SPAN_LIT("DELE 1\r\nDELE 2\r\nQUIT\r\nSTAT\r\n");
	session("S: +OK Marked to be deleted.\nS: +OK Marked to be deleted.\nS: +OK Logging out, messages deleted.\nE\n");
}

static void test_limits(void **state)
{
	struct client c;
	char line[4000];
	int i;

	make_maildir();
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	client_open(&c);
	script(&c, "S: +OK Logged in.\n");
	say(&c, line);
	script(&c, "S: -ERR Line is too long.\nE\n");
	client_close(&c);
	client_open(&c);
	script(&c, "S: +OK Logged in.\n");
	for (i = 0; i < 19; i++)
		script(&c, "C: FOO\nS: -ERR Unknown command.\n");
	script(&c, "C: NOOP\nS: +OK\n");
	for (i = 0; i < 20; i++)
		script(&c, "C: FOO\nS: -ERR Unknown command.\n");
	script(&c, "E\n");
	client_close(&c);
	assert_non_null(strstr(c.log_text, "Disconnected: Too many bad commands top="));
	conf.pop3_idle_timeout_ms = 50;
	client_open(&c);
	script(&c, "S: +OK Logged in.\nS: -ERR Disconnected for inactivity.\nE\n");
	client_close(&c);
	assert_non_null(strstr(c.log_text, "Disconnected: Inactivity top="));
}

/* Ten megabytes to a client that is slow to read. */
static void test_large(void **state)
{
	enum { LINES = 150000 };
	struct str text = STR_INIT(1 << 26);
	struct client c;
	size_t i, at;

	make_maildir();
	for (i = 0; i < LINES; i++)
		assert_int_equal(str_addf(&text, "%s%zu of a letter that is rather long, dear reader\n",
					  i % 3 ? "" : ".", i), 0);
	put("new/1.a", text.p);
	client_open(&c);
	script(&c, "S: +OK Logged in.\nC: RETR 1\nS* +OK \n");
	while (c.in.n < 3 || memcmp(c.in.p + c.in.n - 3, ".\r\n", 3) != 0 || c.in.p[c.in.n - 4] != '\n')
		assert_true(read_some(&c));
	for (i = 0, at = 0; i < c.in.n - 3; i++) {
		if (c.in.p[i] == '\r')
			continue;
		if (c.in.p[i] == '.' && (i == 0 || c.in.p[i - 1] == '\n'))
			assert_int_equal(c.in.p[++i], '.');
		assert_int_equal(c.in.p[i], text.p[at++]);
	}
	assert_int_equal(at, text.n);
	str_reset(&c.in);
	script(&c, "C: QUIT\nS: +OK Logging out.\nE\n");
	client_close(&c);
	str_fini(&text);
}

/* Things a user can plant in a Maildir. */
static void test_planted(void **state)
{
	char path[300];

	put_three();
	snprintf(path, sizeof(path), "%s/cur/5.link:2,S", mail);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/cur/6.fifo:2,S", mail);
	assert_int_equal(mkfifo(path, 0600), 0);
	/* no letters, so nobody sees them and nobody removes them */
	session("C: LIST 1\nS: +OK 1 22\nC: RETR 4\nS: -ERR There's no such message.\n"
		"C: STAT\nS: +OK 3 53\nC: QUIT\nS: +OK Logging out.\nE\n");
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

static void test_cannot_open(void **state)
{
	struct client c;

	/* a file where the Maildir should be */
	close(open(mail, O_WRONLY | O_CREAT, 0600));
	client_open(&c);
	script(&c, "S: -ERR [SYS/TEMP] Internal error: the mailbox cannot be opened.\nE\n");
	assert_int_not_equal(client_close(&c), 0);
	assert_non_null(strstr(c.log_text, "Maildir"));
}

/* As root the child is the user: another's mailbox is closed to it, and so are all files but this Maildir. */
static void test_rights(void **state)
{
	struct client c;
	char theirs[160];

	if (geteuid() != 0)
		skip();
	snprintf(theirs, sizeof(theirs), "%s/home", root);
	assert_int_equal(mkdir(theirs, 0700), 0);
	assert_int_equal(chown(theirs, UID_A, UID_A), 0);
	start.home = theirs;
	snprintf(mail, sizeof(mail), "%s/Maildir", theirs);
	start.changes_user = true;
	start.uid = start.gid = UID_B;
	client_open(&c);
	script(&c, "S: -ERR [SYS/TEMP] Internal error: the mailbox cannot be opened.\nE\n");
	assert_int_not_equal(client_close(&c), 0);
	start.uid = start.gid = UID_A;
	session("C: STAT\nS: +OK 0 0\nC: QUIT\nS: +OK Logging out.\nE\n");
	/* root's file: the user cannot read it */
	put("new/1.a,W=8", "A: b\n\n");
	session("C: RETR 1\nS: -ERR [SYS/TEMP] Message 1 cannot be read now.\nC: QUIT\nS: +OK Logging out.\nE\n");
}

/* The letters around those that the user cannot read have the numbers 1 and 2, and the right files. */
static void test_closed_letters(void **state)
{
	static const char *const names[] = { "cur/1.a:2,S", "cur/2.b:2,", "cur/3.c:2,", "new/4.d" };
	struct client c;
	char path[300];

	if (geteuid() != 0)
		skip();
	start.home = root;
	start.changes_user = true;
	start.uid = start.gid = UID_A;
	assert_int_equal(chmod(root, 0777), 0);
	session("C: QUIT\nS: +OK Logging out.\nE\n");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		put(names[i], i == 1 ? "A: two\n\n" : "A: b\n\nthree\n");
		snprintf(path, sizeof(path), "%s/%s", mail, names[i]);
		assert_int_equal(i % 2 ? chown(path, UID_A, UID_A) : chmod(path, 0), 0);
	}
	client_open(&c);
	script(&c, "S: +OK Logged in.\nC: STAT\nS: +OK 2 25\nC: LIST\nS: +OK 2 messages:\nS: 1 10\nS: 2 15\nS: .\n"
		   "C: RETR 1\nS: +OK 10 octets\nS: A: two\nS: \nS: .\nC: LIST 3\nS: -ERR There's no such message.\n"
		   "C: DELE 1\nS: +OK Marked to be deleted.\nC: QUIT\nS: +OK Logging out, messages deleted.\nE\n");
	assert_int_equal(client_close(&c), 0);
	assert_non_null(strstr(c.log_text, ": 2 messages left out: cannot open 1.a:2,S: Permission denied"));
	assert_true(exists("cur/1.a:2,S") && exists("cur/3.c:2,") && exists("new/4.d"));
	assert_false(exists("cur/2.b:2,S"));
	session("C: LIST\nS: +OK 1 messages:\nS: 1 15\nS: .\nC: QUIT\nS: +OK Logging out.\nE\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_transaction), T(test_errors), T(test_delete), T(test_uidl), T(test_empty_and_missing),
		T(test_changes), T(test_gone_before_size), T(test_options), T(test_pipelining), T(test_limits), T(test_large),
		T(test_planted), T(test_cannot_open), T(test_rights), T(test_closed_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
