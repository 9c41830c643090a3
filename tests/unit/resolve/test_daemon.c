/* The program itself, as master starts it: sandboxed, asked over a channel, reloaded, drained. */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/arena.h"
#include "svc/msg_ctl.h"
#include "svc/msg_resolve.h"
#include "svc/topology.h"

#define DIR "/tmp/resolve-test-daemon"

struct fix {
	pid_t pid;
	struct ipc ctl, chan;
	int log;
	struct arena a;
};

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

static const struct ipc_ops ops = { "test", NULL, 0, on_lost, NULL };

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void send_conf(struct fix *f, const char *text)
{
	const struct ctl_service row = { SPAN_LIT("smtp"), SPAN_LIT("smtpd_sender_login_maps = inline:{own=x}\n") };
	struct ctl_conf m = { .size = strlen(text) };
	int fd = memfd_create("conf", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(ipc_send(&f->ctl, &ctl_conf_desc, &m, &fd), 0);
	assert_int_equal(ipc_send(&f->ctl, &ctl_service_desc, &row, NULL), 0);
	assert_int_equal(ipc_send(&f->ctl, &ctl_reload_desc, NULL, NULL), 0);
}

static uint16_t next_type(struct fix *f)
{
	struct err err = ERR_INIT;
	struct ipc_msg m;
	char text[4000] = "";

	if (ipc_wait(&f->ctl, &m, 20000, &err) != IPC_OK) {
		(void)!recv(f->log, text, sizeof(text) - 1, MSG_DONTWAIT);
		fail_msg("no word from resolve: %s\n%s", err.msg, text);
	}
	return m.type;
}

static void attach(struct fix *f)
{
	struct ctl_channel m = { .kind = CHAN_RESOLVE, .is_server = 1, .peer = SPAN_LIT("test") };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ipc_init(&f->chan, NULL, &ops, f);
	ipc_attach(&f->chan, &fds[0]);
	assert_int_equal(ipc_send(&f->ctl, &ctl_channel_desc, &m, &fds[1]), 0);
}

/* Next to this program's own folder in the build. */
static void run_program(int ctl, int log)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	int i;

	for (i = 0; i < 3 && n > 0; i++) {
		while (n > 0 && path[--n] != '/')
			;
	}
	path[n] = '\0';
	snprintf(path + n, 64, "/resolve/resolve");
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);    /* that needs system calls which the sandbox denies */
	ctl = fcntl(ctl, F_DUPFD, 10);
	log = fcntl(log, F_DUPFD, 10);
	dup2(ctl, 3);
	dup2(log, 4);
	close_range(5, ~0u, 0);
	execl(path, path, "surat/resolve", (char *)NULL);
	_exit(127);
}

static void begin(struct fix *f, const char *conf)
{
	struct ctl_init init = { .program = SPAN_LIT("resolve"), .n_workers = 1, .config_directory = SPAN_LIT(DIR) };
	int ctl[2], log[2];

	*f = (struct fix){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ctl), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, log), 0);
	f->pid = fork();
	if (f->pid == 0)
		run_program(ctl[1], log[1]);
	close(ctl[1]);
	close(log[1]);
	f->log = log[0];
	ipc_init(&f->ctl, NULL, &ops, f);
	ipc_attach(&f->ctl, &ctl[0]);
	assert_int_equal(ipc_send(&f->ctl, &ctl_init_desc, &init, NULL), 0);
	send_conf(f, conf);
}

static void end(struct fix *f)
{
	struct ctl_drain drain = { .is_stop = 1 };
	int status;

	assert_int_equal(ipc_send(&f->ctl, &ctl_drain_desc, &drain, NULL), 0);
	assert_int_equal(ipc_flush(&f->ctl, &(struct err)ERR_INIT), 0);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	ipc_close(&f->ctl);
	ipc_close(&f->chan);
	close(f->log);
	arena_fini(&f->a);
}

static const void *ask(struct fix *f, const struct ipc_desc *d, const void *in, const struct ipc_desc *reply)
{
	struct err err = ERR_INIT;
	const void *out;

	assert_int_equal(ipc_flush(&f->ctl, &err), 0);
	out = ipc_call_wait(&f->chan, d, in, reply, &f->a, 20000, &err);
	if (!out)
		fail_msg("%s: %s", d->name, err.msg);
	return out;
}

static void assert_verdict(struct fix *f, const char *address, enum msg_status want)
{
	struct rcpt_check q = { .address = span_z(address), .sender = SPAN_LIT("a@b.example") };
	const struct rcpt_verdict *v = ask(f, &rcpt_check_desc, &q, &rcpt_verdict_desc);

	if (v->status != want)
		fail_msg("%s: status %d: %.*s", address, (int)v->status, SPAN_ARG(v->text));
}

static uint64_t map_status(struct fix *f, const char *map, const char *key)
{
	struct map_key k = { span_z(key) };
	struct map_query q = { span_z(map), { &k, 1 } };

	return ((const struct map_value *)ask(f, &map_query_desc, &q, &map_value_desc))->status;
}

#define MAIN_CF "myhostname = mx.example.com\nmydestination = localhost\nalias_maps = texthash:" DIR "/aliases\n" \
		"resolve_dns_server = 127.0.0.1@9\ndns_timeout = 1s\n"

/* A name server that knows nothing, in a process of its own. */
static pid_t start_name_server(unsigned *port_r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned char p[512];
	ssize_t n;
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port_r = ntohs(sin.sin_port);
	pid = fork();
	if (pid != 0) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	close_range(0, 2, 0);
	for (;;) {
		len = sizeof(sin);
		n = recvfrom(fd, p, sizeof(p), 0, (struct sockaddr *)&sin, &len);
		if (n < 17)
			_exit(0);
		for (n = 12; p[n]; n += p[n] + 1)
			;
		p[2] = 0x85;
		p[3] = 0x83;            /* NXDOMAIN, nothing behind the question */
		memset(p + 6, 0, 6);
		sendto(fd, p, (size_t)n + 5, 0, (struct sockaddr *)&sin, len);
	}
}

static void asks_the_dns_from_its_sandbox(void **state)
{
	struct ptr_query unknown = { SPAN_LIT("192.0.2.7") };
	const struct ptr_name *name;
	char conf[1000];
	unsigned port;
	pid_t server = start_name_server(&port);
	struct fix f;

	snprintf(conf, sizeof(conf), "myhostname = mx.example.com\nalias_maps =\nresolve_dns_server = 127.0.0.1@%u\n",
		 port);
	begin(&f, conf);
	assert_int_equal(next_type(&f), MSG_CTL_READY);
	attach(&f);
	name = ask(&f, &ptr_query_desc, &unknown, &ptr_name_desc);
	assert_int_equal(name->status, MSG_NO);
	assert_int_equal(name->reverse_status, MSG_NO);
	end(&f);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
}

static void serves_in_its_sandbox(void **state)
{
	struct ptr_query local = { SPAN_LIT("127.0.0.1") };
	const struct ptr_name *name;
	struct fix f;

	begin(&f, MAIN_CF);
	assert_int_equal(next_type(&f), MSG_CTL_READY);
	attach(&f);
	assert_verdict(&f, "daemon@localhost", MSG_OK);
	assert_verdict(&f, "sales@localhost", MSG_OK);
	assert_verdict(&f, "nosuch@localhost", MSG_NO);
	put_file(DIR "/aliases.new", "nosuch daemon\n");
	assert_int_equal(rename(DIR "/aliases.new", DIR "/aliases"), 0);
	assert_verdict(&f, "nosuch@localhost", MSG_OK);
	assert_verdict(&f, "sales@localhost", MSG_NO);
	assert_int_equal(map_status(&f, "inline:{own=x}", "own"), MSG_OK);              /* named by a row only */
	assert_int_equal(map_status(&f, "texthash:/etc/shadow", "root"), MSG_TEMP);
	name = ask(&f, &ptr_query_desc, &local, &ptr_name_desc);
	assert_true(span_eqz(name->name, "localhost"));
	end(&f);
}

static void reloads(void **state)
{
	struct fix f;
	int status;

	begin(&f, MAIN_CF);
	assert_int_equal(next_type(&f), MSG_CTL_READY);
	attach(&f);
	assert_verdict(&f, "daemon@other.example", MSG_OK);
	send_conf(&f, MAIN_CF "virtual_alias_domains = other.example\n");
	assert_verdict(&f, "daemon@localhost", MSG_OK);
	while (map_status(&f, "inline:{own=x}", "own") != MSG_OK)
		;
	assert_verdict(&f, "daemon@other.example", MSG_NO);
	send_conf(&f, MAIN_CF "virtual_alias_maps = texthash:/srv/elsewhere/t\n");
	assert_int_equal(ipc_flush(&f.ctl, &(struct err)ERR_INIT), 0);
	/* its sandbox has no way to that folder: it leaves in order, and master starts one that has */
	assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ipc_close(&f.ctl);
	ipc_close(&f.chan);
	close(f.log);
	arena_fini(&f.a);
}

static void refuses_a_wrong_start(void **state)
{
	struct fix f;
	int status;

	begin(&f, MAIN_CF "resolve_dns_server = nowhere\n");
	assert_int_equal(next_type(&f), MSG_CTL_FAILED);
	assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	ipc_close(&f.ctl);
	close(f.log);
}

static int setup(void **state)
{
	mkdir(DIR, 0755);
	put_file(DIR "/master.cf", "half an edit of\n");
	put_file(DIR "/aliases", "sales daemon\n");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(serves_in_its_sandbox, setup),
		cmocka_unit_test_setup(asks_the_dns_from_its_sandbox, setup),
		cmocka_unit_test_setup(reloads, setup),
		cmocka_unit_test_setup(refuses_a_wrong_start, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
