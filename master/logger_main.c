/* logger: writes the log, so that no other daemon ever waits for a disk or for syslog
 *
 * Rights: user _surat-log; an empty chroot when it writes to a file, which master opens for it; else unix sockets.
 * Peers: master. Descriptor 4 is the end to read from; the lines of everybody come there, with the sender's pid from
 * the kernel. In syslog mode it starts to read at once, in file mode when the file has come.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/params.h"
#include "io/write_all.h"
#include "logger.h"
#include "svc/daemon.h"

#define PACKETS_PER_TURN 64
#define PACKET_MAX 16384u
#define DEV_LOG "/dev/log"

struct logger {
	struct daemon *d;
	struct global_conf conf;
	char host[64];
	int file;                       /* -1: none yet, or syslog */
	int syslog;                     /* -1: file mode, or not connected */
	bool to_syslog;
	bool is_reading;
	uint64_t retry_ms;              /* when /dev/log may be tried again */
	unsigned long lost;
	uv_poll_t poll;
	struct str out;
};

/* syslogd may be restarted at any time; without it lines are counted, not kept. */
static void connect_syslog(struct logger *lg)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = DEV_LOG };

	if (lg->syslog >= 0 || clock_mono_ms() < lg->retry_ms)
		return;
	lg->retry_ms = clock_mono_ms() + 1000;
	lg->syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (lg->syslog >= 0 && connect(lg->syslog, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(lg->syslog);
		lg->syslog = -1;
	}
}

static int write_syslog(struct logger *lg, struct span packet)
{
	int try;

	for (try = 0; try < 2; try++) {
		connect_syslog(lg);
		if (lg->syslog < 0)
			return -1;
		if (send(lg->syslog, packet.p, packet.n, MSG_NOSIGNAL) >= 0)
			return 0;
		close(lg->syslog);
		lg->syslog = -1;
		lg->retry_ms = 0;
	}
	return -1;
}

static void write_file(struct logger *lg)
{
	if (write_all(lg->file, str_span(&lg->out)) < 0)
		lg->lost++;
	str_reset(&lg->out);
}

static void put(struct logger *lg, const struct logger_line *l, pid_t pid)
{
	int facility = lg->to_syslog ? logger_facility(lg->conf.syslog_facility) : -1;

	if (logger_format(&lg->out, l, lg->conf.syslog_name, lg->host, pid, facility) < 0)
		lg->lost++;
	else if (lg->to_syslog)
		lg->lost += write_syslog(lg, str_span(&lg->out)) < 0;
	if (lg->to_syslog)
		str_reset(&lg->out);
}

static void put_lines(struct logger *lg, struct span text, pid_t pid)
{
	struct span line;

	while (text.n) {
		span_cut(text, '\n', &line, &text);
		if (line.n) {
			struct logger_line l = logger_parse(line);

			put(lg, &l, pid);
		}
	}
}

static ssize_t read_packet(char *buf, size_t n, pid_t *pid_r)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} ctl;
	struct iovec iov = { buf, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.bytes,
			     .msg_controllen = sizeof(ctl.bytes) };
	ssize_t got = recvmsg(DAEMON_LOG_FD, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cm;

	*pid_r = 0;
	for (cm = got > 0 ? CMSG_FIRSTHDR(&mh) : NULL; cm; cm = CMSG_NXTHDR(&mh, cm)) {
		if (cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(cm), sizeof(cred));
			*pid_r = cred.pid;
		}
	}
	return got;
}

static void report_lost(struct logger *lg)
{
	char text[80];
	struct logger_line l = { LOG_LV_WARNING, clock_wall_ms(), SPAN_LIT("logger"), { text, 0 } };

	if (lg->lost == 0)
		return;
	snprintf(text, sizeof(text), "warning: %lu log lines could not be written", lg->lost);
	l.text = span_z(text);
	lg->lost = 0;
	put(lg, &l, getpid());
}

/* Returns whether more may wait. */
static bool read_some(struct logger *lg)
{
	char buf[PACKET_MAX];
	unsigned i;

	report_lost(lg);
	for (i = 0; i < PACKETS_PER_TURN; i++) {
		pid_t pid;
		ssize_t n = read_packet(buf, sizeof(buf), &pid);

		if (n <= 0)
			break;
		put_lines(lg, (struct span){ buf, (size_t)n }, pid);
	}
	if (!lg->to_syslog)
		write_file(lg);
	return i == PACKETS_PER_TURN;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	read_some(h->data);
}

static void begin_reading(struct logger *lg)
{
	if (lg->is_reading)
		return;
	lg->is_reading = true;
	lg->poll.data = lg;
	uv_poll_init(&lg->d->loop.uv, &lg->poll, DAEMON_LOG_FD);
	uv_poll_start(&lg->poll, UV_READABLE, on_readable);
}

/* Its own lines need no socket. */
static void own_sink(void *arg, enum log_level level, const char *line)
{
	struct logger *lg = arg;
	struct logger_line l = { level, clock_wall_ms(), SPAN_LIT("logger"), span_z(line) };

	put(lg, &l, getpid());
}

static int on_init(struct daemon *d, struct err *err)
{
	struct logger *lg = d->state;

	lg->d = d;
	log_set_sink(own_sink, lg);
	if (global_conf_read(&lg->conf, d->conf, &d->arena, err) < 0)
		return -1;
	if (gethostname(lg->host, sizeof(lg->host) - 1) < 0)
		return err_sys(err, "gethostname");
	lg->host[strcspn(lg->host, ".")] = '\0';
	d->sandbox.user = d->is_root ? "_surat-log" : NULL;
	lg->to_syslog = *lg->conf.maillog_file == '\0';
	if (lg->to_syslog)
		d->sandbox.may = SB_UNIX;
	else
		d->sandbox.chroot = arena_printf(&d->arena, "%s/empty", d->run_directory);
	return 0;
}

static int on_start(struct daemon *d, struct err *err)
{
	struct logger *lg = d->state;

	if (lg->to_syslog)
		begin_reading(lg);
	return 0;
}

/* Not a socket but the opened log file; after a rotation a new one. */
static int on_listen(struct daemon *d, const struct ctl_listen *l, int *fd, struct err *err)
{
	struct logger *lg = d->state;

	if (lg->to_syslog || !span_eqz(l->service, "maillog"))
		return 0;
	if (lg->file >= 0)
		close(lg->file);
	lg->file = *fd;
	*fd = -1;
	begin_reading(lg);
	return 0;
}

static int on_reload(struct daemon *d, struct err *err)
{
	struct logger *lg = d->state;
	struct global_conf fresh;

	if (global_conf_read(&fresh, d->conf, &d->arena, err) < 0)
		return -1;
	fresh.maillog_file = lg->conf.maillog_file;
	lg->conf = fresh;
	return 0;
}

static void on_drain(struct daemon *d)
{
	struct logger *lg = d->state;

	while (lg->is_reading && read_some(lg))
		;
	daemon_exit(d);
}

int main(int argc, char **argv)
{
	static struct logger lg = { .file = -1, .syslog = -1, .out = STR_INIT(PACKET_MAX * PACKETS_PER_TURN * 2) };
	static const struct daemon_ops ops = { .name = "logger", .init = on_init, .start = on_start,
					       .listen = on_listen,
					       .reload = on_reload, .drain = on_drain };

	return daemon_main(argc, argv, &ops, &lg);
}
