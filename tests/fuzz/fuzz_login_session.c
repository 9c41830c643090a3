/* login before the user is known, POP3 and IMAP: any bytes of a client, with a fake auth and fake parents behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/login/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* One worker of each protocol for all inputs; each input is a session. */
static struct rig *start(bool is_imap)
{
	static struct rig *rigs[2];

	if (!rigs[is_imap]) {
		rigs[is_imap] = calloc(1, sizeof(*rigs[0]));
		rig_open(rigs[is_imap], is_imap ? "imap" : "pop3", "imap_id_log = *\n");
	}
	return rigs[is_imap];
}

/* In the clear every line ends in CRLF, and a password of the fake is neither told nor logged. */
static void check(const struct client *c)
{
	struct span out = str_span(&c->in);
	size_t i;

	if (strstr(c->in.p, "Begin TLS"))
		return;
	for (i = 0; i < out.n; i++)
		BUG((out.p[i] == '\n') != (i > 0 && out.p[i - 1] == '\r') || out.p[i] == '\0');
}

/* First byte: protocol, a client of this machine or not, whether auth answers, how many bytes come at a time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t how = n ? data[0] : 0;
	struct rig *g = start(how & 1);
	struct client c;
	size_t at, chunk = how >> 3 ? (size_t)(how >> 3) * 16 : 1000000;

	g->auth_is_mute = how & 4;
	g->parent_refuses = how & 8;
	client_open(&c, g, how & 2 ? "192.0.2.25" : "203.0.113.9");
	for (at = 1; at < n; at += chunk) {
		if (send(c.fd, data + at, n - at < chunk ? n - at : chunk, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		(void)client_read(&c);
	}
	(void)client_read(&c);
	check(&c);
	client_close(&c);
	rig_spin(g);
	/* who waits for an answer of auth is not read from, so its end is not seen */
	while (g->auth_is_mute && !LIST_EMPTY(&g->srv.sessions))
		session_destroy(LIST_FIRST(&g->srv.sessions));
	rig_spin(g);
	BUG(g->srv.n_sessions != 0);
	if (g->child >= 0)
		close(g->child);
	g->child = -1;
	str_reset(&g->log);
	return 0;
}
