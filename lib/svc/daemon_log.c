#include "svc/daemon_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

#define BATCH 8192
#define TAG_MAX 200

static struct {
	int fd;
	char buf[BATCH];
	size_t n;
	unsigned lines;
	unsigned long lost;
} out = { .fd = -1 };

void daemon_log_flush(void)
{
	ssize_t rc;

	if (out.n == 0)
		return;
	do {
		rc = send(out.fd, out.buf, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		out.lost += out.lines;
	else if (out.lost) {
		unsigned long lost = out.lost;

		out.lost = 0;
		out.n = out.lines = 0;
		log_warn("%lu log lines were lost: the log could not keep up", lost);
		return;
	}
	out.n = out.lines = 0;
}

static void sink(void *arg, enum log_level level, const char *line)
{
	char head[TAG_MAX + 48];
	int h = snprintf(head, sizeof(head), "%d %llu %.*s ", (int)level, (unsigned long long)clock_wall_ms(), TAG_MAX,
			 log_name());
	size_t n = strlen(line);

	(void)arg;
	if (n > BATCH - sizeof(head) - 1)
		n = BATCH - sizeof(head) - 1;
	if (out.n + (size_t)h + n + 1 > BATCH)
		daemon_log_flush();
	memcpy(out.buf + out.n, head, (size_t)h);
	memcpy(out.buf + out.n + h, line, n);
	out.n += (size_t)h + n;
	out.buf[out.n++] = '\n';
	out.lines++;
	if (level >= LOG_LV_WARNING)
		daemon_log_flush();
}

void daemon_log_tag(const char *tag)
{
	log_as(NULL);
	log_set_tag(tag);
}

void daemon_log_open(int fd, const char *tag)
{
	out.fd = fd;
	daemon_log_tag(tag);
	log_set_sink(sink, NULL);
}
