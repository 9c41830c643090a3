#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/session/smtpd/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* One worker for all inputs; each input is a session. Its first byte chooses how many bytes arrive at a time. */
static struct fixture *start(void)
{
	static struct fixture *f;
	struct err err = ERR_INIT;

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	fixture_init(f);
	BUG(str_addz(&f->settings,
		     "smtpd_sasl_auth_enable = yes\ndisable_plaintext_auth = no\nsmtpd_error_sleep_time = 0\n"
		"mynetworks = 203.0.113.0/24\nmessage_size_limit = 200k\nsmtpd_sender_login_maps = inline:{a@b=c}\n"
		"smtpd_sender_restrictions = reject_sender_login_mismatch, reject_non_fqdn_sender\n"
		"smtpd_recipient_restrictions = check_sender_access inline:{hold.example=HOLD, pre.example=PREPEND X: y}\n") < 0);
	BUG(fixture_configure(f, &err) < 0);
	return f;
}

/* What was queued holds neither a bare CR nor, outside of BDAT's promise, anything but lines. */
static void check_body(const struct fixture *f)
{
	BUG(span_chr(str_span(&f->body), '\r') >= 0);
	BUG(f->body.n && f->body.p[f->body.n - 1] != '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fixture *f = start();
	size_t at = 1, chunk = n && data[0] % 8 ? data[0] % 8 * 16 : 1000000;
	char sink[4096];
	int fd = fixture_connect(f, n && data[0] & 8 ? "203.0.113.1" : "192.0.2.1", NULL);

	if (!f->server.n_sessions)
		fixture_settle(f);
	while (at < n) {
		ssize_t put = send(fd, data + at, n - at < chunk ? n - at : chunk, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put < 0)
			break;
		at += (size_t)put;
		loop_turn(&f->loop, false);
		loop_turn(&f->loop, false);
		while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
			;
	}
	fixture_settle(f);
	check_body(f);
	close(fd);
	fixture_settle(f);
	BUG(f->server.n_sessions != 0);
	str_reset(&f->log);
	return 0;
}
