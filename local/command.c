#include "local/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/macro.h"
#include "local/names.h"
#include "local/serve.h"

#define OUTPUT_MAX 4096
#define CHUNK 65536
#define EXIT_EXEC EX_TEMPFAIL   /* no room, no memory, a program that is being replaced or not there: all pass */

/* A command that runs. */
struct run {
	pid_t pid;
	int in, out;            /* its standard input and output, our ends */
	struct span head;
	const struct letter *l;
	uint64_t fed;           /* bytes of head and body it has taken */
	char *chunk;
	struct str output;
};

static NORETURN void exec_command(char **argv, char **env, int in, int out)
{
	setsid();
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(EXIT_EXEC);
	closefrom(3);
	signal(SIGPIPE, SIG_DFL);
	umask(077);
	execvpe(argv[0], argv, env);    /* with a path; a script without "#!" is the shell's */
	dprintf(2, "cannot run %s: %s", argv[0], strerrordesc_np(errno));
	_exit(EXIT_EXEC);
}

static int start(struct run *run, char **argv, char **env, struct err *err)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe for a command");
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return err_sys(err, "cannot make a pipe for a command");
	}
	run->pid = fork();
	if (run->pid == 0)
		exec_command(argv, env, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	run->in = in[1];
	run->out = out[0];
	if (run->pid > 0) {
		fcntl(run->in, F_SETFL, O_NONBLOCK);
		fcntl(run->out, F_SETFL, O_NONBLOCK);
		return 0;
	}
	err_sys(err, "cannot fork for a command");
	close(run->in);
	close(run->out);
	return -1;
}

/* The bytes that come next; empty at the end. */
static int next_bytes(struct run *run, struct span *out_r, struct err *err)
{
	uint64_t off;
	ssize_t n;

	if (run->fed < run->head.n) {
		*out_r = span_from(run->head, (size_t)run->fed);
		return 0;
	}
	off = run->fed - run->head.n;
	if (run->l->fd < 0) {
		*out_r = span_from(run->l->body, (size_t)off);
		return 0;
	}
	n = off < run->l->size ? pread(run->l->fd, run->chunk, CHUNK, (off_t)off) : 0;
	if (n < 0)
		return err_sys(err, "cannot read the message from the queue");
	if (n == 0 && off < run->l->size)
		return err_set(err, ERR_TEMP, "the queue's file ends early");
	*out_r = (struct span){ run->chunk, (size_t)n };
	return 0;
}

static void close_input(struct run *run)
{
	close(run->in);
	run->in = -1;
}

/* A command may well stop reading: EPIPE only ends the feeding. */
static int feed(struct run *run, struct err *err)
{
	struct span next = SPAN_NULL;
	ssize_t n;

	if (next_bytes(run, &next, err) < 0)
		return -1;
	n = next.n ? write(run->in, next.p, next.n) : 0;
	if (n > 0)
		run->fed += (uint64_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_input(run);
	return 0;
}

/* False at the end of output. */
static bool collect(struct run *run)
{
	char buf[1024];
	ssize_t n = read(run->out, buf, sizeof(buf));

	if (n > 0)
		(void)!str_add(&run->output, buf, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* 1: it has ended; 0: not in time; -1. Output may stay open in a daemon that the command left behind. */
static int converse(struct run *run, uint64_t deadline, int *status_r, struct err *err)
{
	bool open = true;

	for (;;) {
		struct pollfd p[2] = { { run->in, POLLOUT, 0 }, { open ? run->out : -1, POLLIN, 0 } };
		uint64_t now = clock_mono_ms();

		if (waitpid(run->pid, status_r, WNOHANG) == run->pid) {
			while (open && poll(&p[1], 1, 0) > 0 && collect(run))
				;
			return 1;
		}
		if (now >= deadline)
			return 0;
		if (poll(p, 2, run->in >= 0 || open ? 100 : 20) <= 0)
			continue;
		if (p[1].revents)
			open = collect(run);
		if (p[0].revents && feed(run, err) < 0)
			return -1;
	}
}

/* This process runs one command. A home that is not there is no reason to keep the letter; a folder that somebody has
 * set is. */
static int enter_directory(const struct settings *s, const struct command_user *u, const struct child_rcpt *r,
			   struct err *err)
{
	struct names n = { s, r, span_z(u->home), span_z(u->shell), "command_execution_directory" };
	struct str dir = STR_INIT(4000);
	int rc;

	if (!s->local.command_execution_directory[0])
		return chdir(u->home[0] ? u->home : "/") < 0 && chdir("/") < 0 ? err_sys(err, "cannot change to /") : 0;
	rc = macro_expand(&dir, span_z(s->local.command_execution_directory), names_value, &n, err);
	if (rc == 0 && chdir(dir.p) < 0)
		rc = err_sys(err, "cannot change to the directory %s (command_execution_directory)", dir.p);
	str_fini(&dir);
	return rc;
}

static int run_command(const struct settings *s, const struct command_user *u, const struct letter *l,
		       const struct child_rcpt *r, struct arena *a, struct child_result *res, struct err *err)
{
	bool delivered_to = conf_list_has(&s->local.prepend_delivered_header, SPAN_LIT("command"));
	struct run run = { .l = l, .chunk = arena_alloc(a, CHUNK), .output = STR_INIT(OUTPUT_MAX) };
	int status = 0, rc = letter_has_delivered_to(l, r->delivered, err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		return err_dsn(err, ERR_PERM, "5.4.6", "mail forwarding loop for %.*s", SPAN_ARG(r->delivered));
	run.head = letter_head(a, l, r, LETTER_FROM_LINE | (delivered_to ? LETTER_DELIVERED_TO : 0) |
				(conf_list_has(&s->local.prepend_delivered_header, SPAN_LIT("forward")) ? LETTER_CHAIN :
				 0));
	if (enter_directory(s, u, r, err) < 0 ||
	    start(&run, command_argv(s, r->address, a), command_env(s, u, l, r, a), err) < 0)
		return -1;
	rc = converse(&run, clock_mono_ms() + s->local.command_time_limit_ms, &status, err);
	if (rc <= 0) {
		kill(-run.pid, SIGKILL);
		kill(run.pid, SIGKILL);         /* it may not have come to lead its group yet */
		waitpid(run.pid, &status, 0);
	}
	if (run.in >= 0)
		close_input(&run);
	close(run.out);
	if (rc == 0)
		err_dsn(err, ERR_TEMP, "4.3.0", "Command time limit exceeded: \"%.*s\"", SPAN_ARG(r->address));
	else if (rc > 0)
		command_verdict(res, status, r->address, str_span(&run.output), a);
	str_fini(&run.output);
	return rc > 0 ? 0 : -1;
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

static void answer(struct ipc *c, const struct child_result *res)
{
	struct err err = ERR_INIT;

	if (ipc_send(c, &child_result_desc, res, NULL) < 0 || ipc_flush(c, &err) < 0)
		log_warn("the result of a command was lost: %s", err.msg);
}

void command_run(const struct settings *s, const struct command_user *u, int fd)
{
	static const struct ipc_ops ops = { .name = "delivery", .lost = on_lost };
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct ipc_msg m = { .fd = -1 };
	const struct child_job *job = NULL;
	struct ipc c;

	ipc_init(&c, NULL, &ops, NULL);
	ipc_attach(&c, &fd);
	if (ipc_wait(&c, &m, UINT64_MAX, &err) == IPC_OK && m.type == MSG_CHILD_JOB)
		job = ipc_decode(&child_job_desc, m.body, &a, &err);
	if (job && job->rcpts.n == 1) {
		const struct child_rcpt *r = job->rcpts.v;
		struct child_result res = { .id = job->id, .slot = r->slot };
		uint64_t size = m.fd >= 0 ? job->size : job->body.n;
		struct letter l = { job->qid, job->sender, job->arrival_ms, job->body, m.fd, size };

		if (run_command(s, u, &l, r, &a, &res, &err) < 0)
			serve_failure(&res, &err);
		answer(&c, &res);
	}
	if (m.fd >= 0)
		close(m.fd);
	ipc_close(&c);
	arena_fini(&a);
}
