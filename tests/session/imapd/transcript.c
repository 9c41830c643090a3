/* Plays a transcript against IMAP sessions on one Maildir. Lines:
 *   C: text     the client sends text and CRLF       R: text     raw, with \r \n \0 \\ \xHH
 *   S: pattern  the server sends a line that fits: <*> is any text, <#> digits, <#name> digits that are kept,
 *               <=name> what was kept (also in C: and R:); all else stands for itself
 *   @conf name = value    a parameter, in milliseconds if it is a time; before the first connection
 *   @session N  the lines from here on are of client N (1 at first)      @connect    a new connection of this client
 *   @chunk N    N bytes at a time        @wait MS      @silent MS   nothing comes for so long
 *   @letter FOLDER SUBJECT / @cur FOLDER FLAGS SUBJECT   a letter in new/ or cur/, FOLDER on disk, INBOX for ""
 *   @sh COMMAND a shell in the Maildir; it must succeed
 *   @log TEXT   the log so far has a line with TEXT in it     @eof   the server has hung up     @close
 *   @whole      what follows is not for a session in parts
 *   # comment; every transcript runs whole, at 1, 2 and 7 bytes at a time, and with a session in parts: parked after each
 *   command */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "../script.h"
#include "fixture.h"

#define CLIENTS 3
#define VARS 20
#define LINE_MS 20000
#define WHOLE 1000000
#define IN_PARTS 0

struct client {
	int fd, log;
	pid_t pid;
	struct str in;
};

struct play {
	struct fixture f;
	const char *file;
	unsigned line;
	size_t chunk;
	bool in_parts;
	struct client clients[CLIENTS];
	struct client *now;
	struct str out, log;
	struct {
		char name[20], value[30];
	} vars[VARS];
	size_t n_vars;
};

static void read_log(struct play *p)
{
	char buf[4096];
	size_t i;

	for (i = 0; i < CLIENTS; i++) {
		ssize_t n;

		while (p->clients[i].log >= 0 && (n = read(p->clients[i].log, buf, sizeof(buf))) > 0)
			(void)!str_add(&p->log, buf, (size_t)n);
	}
}

static void NORETURN die(struct play *p, const char *what, const char *got)
{
	read_log(p);
	fprintf(stderr, "%s:%u (chunk %zu): %s\n  got: %s\n  log:\n%s", p->file, p->line, p->chunk, what, got,
		p->log.p);
	fixture_fini(&p->f);
	/* sessions end with their clients */
	exit(1);
}

/* ---- variables ---- */

static const char *var_get(struct play *p, struct span name)
{
	size_t i;

	for (i = 0; i < p->n_vars; i++) {
		if (span_eqz(name, p->vars[i].name))
			return p->vars[i].value;
	}
	die(p, "no such variable", "");
}

static void var_set(struct play *p, struct span name, struct span value)
{
	size_t i;

	for (i = 0; i < p->n_vars && !span_eqz(name, p->vars[i].name); i++)
		;
	if (i == VARS || name.n >= sizeof(p->vars[0].name) || value.n >= sizeof(p->vars[0].value))
		die(p, "too many variables", "");
	snprintf(p->vars[i].name, sizeof(p->vars[i].name), "%.*s", SPAN_ARG(name));
	snprintf(p->vars[i].value, sizeof(p->vars[i].value), "%.*s", SPAN_ARG(value));
	if (i == p->n_vars)
		p->n_vars++;
}

/* Puts values in place of <=name>. */
static char *expand(struct play *p, const char *z)
{
	struct str out = STR_INIT(1000000);
	const char *at, *end;

	while ((at = strstr(z, "<=")) && (end = strchr(at, '>'))) {
		(void)!str_add(&out, z, (size_t)(at - z));
		(void)!str_addz(&out, var_get(p, (struct span){ at + 2, (size_t)(end - at - 2) }));
		z = end + 1;
	}
	(void)!str_addz(&out, z);
	return str_detach(&out);
}

static bool fits(struct play *p, const char *pattern, const char *z)
{
	const char *end = pattern[0] == '<' && (pattern[1] == '#' || pattern[1] == '*') ? strchr(pattern, '>') : NULL;
	size_t n;

	if (!*pattern)
		return !*z;
	if (!end)
		return *pattern == *z && fits(p, pattern + 1, z + 1);
	if (pattern[1] == '*') {
		do {
			if (fits(p, end + 1, z))
				return true;
		} while (*z++);
		return false;
	}
	n = strspn(z, "0123456789");
	if (n == 0 || !fits(p, end + 1, z + n))
		return false;
	if (end > pattern + 2)
		var_set(p, (struct span){ pattern + 2, (size_t)(end - pattern - 2) }, (struct span){ z, n });
	return true;
}

/* ---- clients ---- */

static void hang_up(struct play *p, struct client *c)
{
	int status = 0;

	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	waitpid(c->pid, &status, 0);
	read_log(p);
	close(c->log);
	c->log = -1;
	str_reset(&c->in);
	if (status != 0)
		die(p, "the session died", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit status");
}

static void open_connection(struct play *p)
{
	int fds[2], logs[2];

	if (p->now->fd >= 0)
		return;
	BUG(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || pipe2(logs, O_NONBLOCK | O_CLOEXEC) < 0);
	p->now->fd = fds[0];
	p->now->log = logs[0];
	p->now->pid = fixture_serve(&p->f, fds[1], logs[1], p->in_parts);
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

static bool take_input(struct play *p, int ms)
{
	struct pollfd poll_fd = { p->now->fd, POLLIN, 0 };
	char buf[8192];
	ssize_t n;

	if (poll(&poll_fd, 1, ms) <= 0)
		return false;
	n = recv(p->now->fd, buf, sizeof(buf), 0);
	if (n > 0)
		(void)!str_add(&p->now->in, buf, (size_t)n);
	return n > 0;
}

static void send_all(struct play *p)
{
	size_t at = 0;

	if (p->out.n == 0)
		return;
	open_connection(p);
	while (at < p->out.n) {
		size_t chunk = p->out.n > 20000 ? 4093 : p->chunk;
		ssize_t put = send(p->now->fd, p->out.p + at, p->out.n - at < chunk ? p->out.n - at : chunk,
				   MSG_NOSIGNAL);

		if (put > 0)
			at += (size_t)put;
		else if (errno != EAGAIN)
			break;
		else
			take_input(p, 1);
	}
	str_reset(&p->out);
}

static void want_line(struct play *p, const char *raw_pattern)
{
	uint64_t deadline = clock_mono_ms() + LINE_MS;
	char *line, *pattern;
	ptrdiff_t lf;

	open_connection(p);
	send_all(p);
	while ((lf = span_chr(str_span(&p->now->in), '\n')) < 0) {
		uint64_t now = clock_mono_ms();

		if (now >= deadline || !take_input(p, (int)(deadline - now)))
			die(p, raw_pattern, p->now->in.n ? p->now->in.p : "nothing");
	}
	pattern = expand(p, raw_pattern);
	line = xstrndup(p->now->in.p, (size_t)lf - (lf > 0 && p->now->in.p[lf - 1] == '\r'));
	if (!fits(p, pattern, line))
		die(p, pattern, line);
	free(line);
	free(pattern);
	str_drop(&p->now->in, (size_t)lf + 1);
}

static void want_eof(struct play *p)
{
	send_all(p);
	while (take_input(p, LINE_MS))
		;
	if (p->now->in.n)
		die(p, "end of connection wanted", p->now->in.p);
	hang_up(p, p->now);
}

/* ---- directives ---- */

static void set_conf(struct play *p, const char *name, const char *value)
{
	struct imapd_conf *c = &p->f.conf;
	uint64_t n = strtoull(value, NULL, 10);

	if (strcmp(name, "imap_idle_timeout") == 0)
		c->imap_idle_timeout_ms = n;
	else if (strcmp(name, "imap_idle_notify_interval") == 0)
		c->imap_idle_notify_interval_ms = n;
	else if (strcmp(name, "mailbox_idle_check_interval") == 0)
		c->mailbox_idle_check_interval_ms = n;
	else if (strcmp(name, "imap_max_line_length") == 0)
		c->imap_max_line_length = n;
	else if (strcmp(name, "imap_append_limit") == 0)
		c->imap_append_limit = n;
	else if (strcmp(name, "imap_capability") == 0)
		c->imap_capability = arena_strdup(&p->f.arena, value);
	else if (strcmp(name, "imap_id_send") == 0)
		c->imap_id_send = arena_strdup(&p->f.arena, value);
	else if (strcmp(name, "imap_id_log") == 0)
		c->imap_id_log = arena_strdup(&p->f.arena, value);
	else if (strcmp(name, "imap_logout_format") == 0)
		c->imap_logout_format = arena_strdup(&p->f.arena, value);
	else if (strcmp(name, "quota") == 0)
		p->f.quota = n;
	else if (strcmp(name, "quota_messages") == 0)
		p->f.quota_messages = n;
	else
		die(p, "no such parameter", name);
}

static void shell(struct play *p, const char *command)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(p->f.mail) == 0)
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		die(p, "the command failed", command);
}

static void letter(struct play *p, char *arg, bool has_flags)
{
	char *folder = strsep(&arg, " "), *flags = has_flags ? strsep(&arg, " ") : NULL;

	fixture_letter(&p->f, strcmp(folder, "INBOX") == 0 ? "" : folder, flags && strcmp(flags, "-") == 0 ? "" : flags,
		       arg ? arg : "none");
}

static void want_log(struct play *p, const char *text)
{
	uint64_t deadline = clock_mono_ms() + LINE_MS;

	do {
		read_log(p);
		if (strstr(p->log.p, text))
			return;
		poll(NULL, 0, 5);
	} while (clock_mono_ms() < deadline);
	die(p, "not in the log", text);
}

static void directive(struct play *p, char *word)
{
	char *arg = word;

	word = strsep(&arg, " ");
	arg = arg ? arg : word + strlen(word);
	send_all(p);
	if (strcmp(word, "conf") == 0) {
		char *name = strsep(&arg, " ");

		set_conf(p, name, arg && strncmp(arg, "= ", 2) == 0 ? arg + 2 : "");
	} else if (strcmp(word, "session") == 0) {
		p->now = &p->clients[strtoul(arg, NULL, 10) % CLIENTS];
	} else if (strcmp(word, "connect") == 0) {
		hang_up(p, p->now);
		open_connection(p);
	} else if (strcmp(word, "close") == 0) {
		hang_up(p, p->now);
	} else if (strcmp(word, "chunk") == 0) {
		p->chunk = strtoul(arg, NULL, 10);
	} else if (strcmp(word, "wait") == 0) {
		poll(NULL, 0, (int)strtol(arg, NULL, 10));
	} else if (strcmp(word, "silent") == 0) {
		if (p->now->in.n || take_input(p, (int)strtol(arg, NULL, 10)))
			die(p, "silence wanted", p->now->in.p);
	} else if (strcmp(word, "letter") == 0 || strcmp(word, "cur") == 0) {
		letter(p, arg, word[0] == 'c');
	} else if (strcmp(word, "sh") == 0) {
		char *command = expand(p, arg);

		shell(p, command);
		free(command);
	} else if (strcmp(word, "log") == 0) {
		want_log(p, arg);
	} else if (strcmp(word, "eof") == 0) {
		want_eof(p);
	} else {
		die(p, "unknown directive", word);
	}
}

static bool play_line(void *arg, char *line)
{
	struct play *p = arg;
	bool is_whole = strcmp(line, "@whole") == 0;
	char *text = line[0] && line[1] == ':' ? expand(p, line + (line[2] ? 3 : 2)) : NULL;

	if (line[0] == 'C' && text)
		(void)!str_addf(&p->out, "%s\r\n", text);
	else if (line[0] == 'R' && text)
		script_raw(&p->out, text);
	else if (line[0] == 'S' && text)
		want_line(p, line + 3);
	else if (line[0] == '@' && !is_whole)
		directive(p, line + 1);
	else if (line[0] && line[0] != '#' && !is_whole)
		die(p, "unknown line", line);
	free(text);
	return !(is_whole && p->in_parts);
}

/* chunk IN_PARTS: all at once, but in parts. */
static void play(const char *file, size_t chunk)
{
	struct play *p = xnew(struct play);
	size_t i;

	p->file = file;
	p->in_parts = chunk == IN_PARTS;
	p->chunk = p->in_parts ? WHOLE : chunk;
	str_init(&p->out, 100000000);
	str_init(&p->log, 10000000);
	for (i = 0; i < CLIENTS; i++) {
		p->clients[i].fd = p->clients[i].log = -1;
		str_init(&p->clients[i].in, 100000000);
	}
	p->now = &p->clients[1];
	fixture_init(&p->f);
	script_read(file, &p->line, play_line, p);
	send_all(p);
	for (i = 0; i < CLIENTS; i++) {
		hang_up(p, &p->clients[i]);
		str_fini(&p->clients[i].in);
	}
	fixture_fini(&p->f);
	str_fini(&p->out);
	str_fini(&p->log);
	free(p);
}

int main(int argc, char **argv)
{
	static const size_t chunks[] = { WHOLE, 1, 2, 7, IN_PARTS };

	return script_main(argc, argv, play, chunks, ARRAY_LEN(chunks));
}
