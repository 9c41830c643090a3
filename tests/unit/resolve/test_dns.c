#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "resolve/dns.h"

/* ---- a name server on loopback that knows a few answers ---- */

struct record {
	const char *name;
	uint16_t type;
	const char *answer;             /* NULL: NXDOMAIN; "SERVFAIL"; "silent"; else text of an address or a name */
};

static const struct record records[] = {
	{ "1.2.0.192.in-addr.arpa", 12, "good.example" },
	{ "good.example", 1, "192.0.2.1" },
	{ "2.2.0.192.in-addr.arpa", 12, "liar.example" },
	{ "liar.example", 1, "192.0.2.99" },
	{ "3.2.0.192.in-addr.arpa", 12, "gone.example" },
	{ "gone.example", 1, NULL },
	{ "4.2.0.192.in-addr.arpa", 12, NULL },
	{ "5.2.0.192.in-addr.arpa", 12, "SERVFAIL" },
	{ "6.2.0.192.in-addr.arpa", 12, "broken.example" },
	{ "broken.example", 1, "SERVFAIL" },
	{ "7.2.0.192.in-addr.arpa", 12, "silent" },
	{ "8.2.0.192.in-addr.arpa", 12, "bad name.example" },
	{ "9.0.0.10.in-addr.arpa", 12, "private.example" },
	{ "private.example", 1, "10.0.0.9" },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", 12, "six.example" },
	{ "six.example", 28, "2001:db8::1" },
};

struct server {
	int fd;
	uv_poll_t poll;
	unsigned questions;
};

/* The question's name as text; returns the offset behind it. */
static size_t read_question(const unsigned char *p, size_t n, struct str *name)
{
	size_t at = 12;

	while (at < n && p[at]) {
		if (at > 12)
			str_addc(name, '.');
		str_add(name, p + at + 1, p[at]);
		at += (size_t)p[at] + 1;
	}
	return at + 5;
}

static void put_name(struct str *out, const char *name)
{
	struct span rest = span_z(name), label;

	while (rest.n) {
		span_cut(rest, '.', &label, &rest);
		str_addc(out, (char)label.n);
		str_add_span(out, label);
	}
	str_addc(out, '\0');
}

static void put_answer(struct str *out, const struct record *r)
{
	struct str rdata = STR_INIT(300);
	unsigned char ip[16];
	char head[12] = { (char)0xc0, 12, 0, (char)r->type, 0, 1, 0, 0, 0, 60, 0, 0 };

	if (r->type == 12) {
		put_name(&rdata, r->answer);
	} else {
		inet_pton(r->type == 1 ? AF_INET : AF_INET6, r->answer, ip);
		str_add(&rdata, ip, r->type == 1 ? 4 : 16);
	}
	head[11] = (char)rdata.n;
	str_add(out, head, sizeof(head));
	str_add_span(out, str_span(&rdata));
	str_fini(&rdata);
}

static const struct record *find_record(const char *name, uint16_t type)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(records); i++) {
		if (strcasecmp(records[i].name, name) == 0 && records[i].type == type)
			return &records[i];
	}
	return NULL;
}

static void on_query(uv_poll_t *p, int status, int events)
{
	struct server *s = p->data;
	struct str name = STR_INIT(300), out = STR_INIT(1000);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	unsigned char in[512];
	ssize_t n = recvfrom(s->fd, in, sizeof(in), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	const struct record *r;
	bool has_answer, is_failure;
	size_t end;

	if (n < 17)
		return;
	s->questions++;
	end = read_question(in, (size_t)n, &name);
	r = find_record(name.p, (uint16_t)(in[end - 4] << 8 | in[end - 3]));
	is_failure = r && r->answer && strcmp(r->answer, "SERVFAIL") == 0;
	has_answer = r && r->answer && !is_failure;
	if (!(has_answer && strcmp(r->answer, "silent") == 0)) {
		char head[12] = { (char)in[0], (char)in[1], (char)0x85,
				  (char)(0x80 | (is_failure ? 2 : has_answer ? 0 : 3)), 0, 1, 0, has_answer, 0, 0, 0,
				  0 };

		str_add(&out, head, sizeof(head));
		str_add(&out, in + 12, end - 12);
		if (has_answer)
			put_answer(&out, r);
		sendto(s->fd, out.p, out.n, 0, (struct sockaddr *)&from, len);
	}
	str_fini(&name);
	str_fini(&out);
}

/* ---- the world ---- */

struct world {
	struct loop loop;
	struct server server;
	struct dns *dns;
	char at[64];
	const char *servers[1];
	struct conf_list list;
	int answered;
	enum msg_status status, reverse_status;
	char name[256], reverse[256];
};

static void world_open_dns(struct world *w, uint64_t timeout_ms, size_t cache_max)
{
	struct dns_options opt = { &w->list, "/tmp/resolve-test-hosts", timeout_ms, cache_max };
	struct err err = ERR_INIT;

	if (dns_open(&w->dns, &w->loop, &opt, &err) < 0)
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	struct err err = ERR_INIT;
	FILE *f = fopen("/tmp/resolve-test-hosts", "w");

	fputs("# comment\n127.0.0.1 localhost other\n192.0.2.50\tfile.example alias # x\n2001:db8::50 six.file.example\n", f);
	fclose(f);
	assert_int_equal(loop_init(&w->loop, &err), 0);
	w->server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->server.fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(w->server.fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(w->at, sizeof(w->at), "127.0.0.1@%u", ntohs(sin.sin_port));
	w->servers[0] = w->at;
	w->list = (struct conf_list){ w->servers, 1 };
	uv_poll_init(&w->loop.uv, &w->server.poll, w->server.fd);
	w->server.poll.data = &w->server;
	uv_poll_start(&w->server.poll, UV_READABLE, on_query);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	dns_close(w->dns);
	uv_close((uv_handle_t *)&w->server.poll, NULL);
	loop_fini(&w->loop);
	close(w->server.fd);
	unlink("/tmp/resolve-test-hosts");
	free(w);
	return 0;
}

static void on_name(void *arg, const struct ptr_name *name)
{
	struct world *w = arg;

	w->answered++;
	w->status = (enum msg_status)name->status;
	w->reverse_status = (enum msg_status)name->reverse_status;
	snprintf(w->name, sizeof(w->name), "%.*s", SPAN_ARG(name->name));
	snprintf(w->reverse, sizeof(w->reverse), "%.*s", SPAN_ARG(name->reverse));
}

static void ask(struct world *w, const char *address)
{
	struct dns_req req;
	uint64_t start = clock_mono_ms();

	w->answered = 0;
	dns_ptr(w->dns, &req, span_z(address), on_name, w);
	while (!w->answered && clock_mono_ms() < start + 15000)
		loop_turn(&w->loop, true);
	assert_int_equal(w->answered, 1);
}

static void names(void **state)
{
	static const struct {
		const char *address, *name, *reverse;
		enum msg_status status, reverse_status;
	} rows[] = {
		{ "192.0.2.1", "good.example", "good.example", MSG_OK, MSG_OK },
		{ "::ffff:192.0.2.1", "good.example", "good.example", MSG_OK, MSG_OK },
		{ "192.0.2.2", "", "liar.example", MSG_NO, MSG_OK },
		{ "192.0.2.3", "", "gone.example", MSG_NO, MSG_OK },
		{ "192.0.2.4", "", "", MSG_NO, MSG_NO },
		{ "192.0.2.5", "", "", MSG_TEMP, MSG_TEMP },
		{ "192.0.2.6", "", "broken.example", MSG_TEMP, MSG_OK },
		{ "192.0.2.8", "", "", MSG_NO, MSG_NO },
		{ "10.0.0.9", "private.example", "private.example", MSG_OK, MSG_OK },
		{ "2001:db8::1", "six.example", "six.example", MSG_OK, MSG_OK },
		{ "192.0.2.50", "file.example", "file.example", MSG_OK, MSG_OK },
		{ "127.0.0.1", "localhost", "localhost", MSG_OK, MSG_OK },
		{ "2001:0db8:0::50", "six.file.example", "six.file.example", MSG_OK, MSG_OK },
		{ "unix", "", "", MSG_NO, MSG_NO },
		{ "", "", "", MSG_NO, MSG_NO },
	};
	struct world *w = *state;
	size_t i;

	world_open_dns(w, 10000, 100);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ask(w, rows[i].address);
		if (w->status != rows[i].status || w->reverse_status != rows[i].reverse_status ||
		    strcmp(w->name, rows[i].name) != 0 ||
		    strcmp(w->reverse, rows[i].reverse) != 0)
			fail_msg("%s: status %d/%d name '%s' reverse '%s'", rows[i].address, (int)w->status,
				 (int)w->reverse_status, w->name, w->reverse);
	}
}

static void remembers(void **state)
{
	struct world *w = *state;
	unsigned before;

	world_open_dns(w, 10000, 1);
	ask(w, "192.0.2.1");
	before = w->server.questions;
	ask(w, "192.0.2.1");
	assert_string_equal(w->name, "good.example");
	assert_int_equal(w->server.questions, before);
	ask(w, "192.0.2.50");           /* pushes the other out of a cache of one */
	ask(w, "192.0.2.1");
	assert_string_equal(w->name, "good.example");
}

static void does_not_wait(void **state)
{
	struct world *w = *state;
	uint64_t start = clock_mono_ms();

	world_open_dns(w, 600, 10);
	ask(w, "192.0.2.7");
	assert_int_equal(w->status, MSG_TEMP);
	assert_true(clock_mono_ms() - start < 3000);
}

static void closing_answers(void **state)
{
	struct world *w = *state;
	struct dns_req reqs[3];
	size_t i;

	world_open_dns(w, 10000, 10);
	for (i = 0; i < 3; i++)
		dns_ptr(w->dns, &reqs[i], SPAN_LIT("192.0.2.7"), on_name, w);
	dns_close(w->dns);
	w->dns = NULL;
	assert_int_equal(w->answered, 3);
	assert_int_equal(w->status, MSG_TEMP);
}

static void bad_server(void **state)
{
	struct world *w = *state;
	struct dns_options opt = { &w->list, "/tmp/resolve-test-hosts", 1000, 10 };
	struct err err = ERR_INIT;

	w->servers[0] = "not an address";
	assert_int_equal(dns_open(&w->dns, &w->loop, &opt, &err), -1);
	assert_int_equal(err.kind, ERR_CONF);
	assert_non_null(strstr(err.msg, "not an address"));
}

/* ---- text ---- */

static void wire_names(void **state)
{
	static const struct {
		const char *label;
		struct span wire;
		const char *want;
	} rows[] = {
		{ "plain", SPAN_LIT("\4mail\7example\0"), "mail.example" },
		{ "root", SPAN_LIT("\0"), NULL },
		{ "empty", SPAN_LIT(""), NULL },
		{ "cut label", SPAN_LIT("\4mai"), NULL },
		{ "no end", SPAN_LIT("\4mail"), NULL },
		{ "pointer", SPAN_LIT("\4mail\xc0\x0c"), NULL },
		{ "dot inside", SPAN_LIT("\11mail.mail\0"), NULL },
		{ "blank inside", SPAN_LIT("\4ma l\0"), NULL },
		{ "line end inside", SPAN_LIT("\4ma\nl\0"), NULL },
		{ "NUL inside", SPAN_LIT("\4ma\0l\0"), NULL },
		{ "8 bit", SPAN_LIT("\4ma\xfcl\0"), NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(256);
		int rc = dns_text_name(&out, rows[i].wire);

		if (rc != (rows[i].want ? 0 : -1) || (rc == 0 && strcmp(out.p, rows[i].want) != 0))
			fail_msg("%s: %d '%s'", rows[i].label, rc, out.p);
		str_fini(&out);
	}
}

static void hosts_lines(void **state)
{
	static const char text[] = "# x\n\n192.0.2.1\n192.0.2.1 a_b.example\n192.0.2.2 bad..name\n192.0.2.2 #none\n"
				   "192.0.2.2 second.example\r\n::1 six\n300.1.1.1 x\nnonsense y\n192.0.2.3 last";
	static const struct {
		const char *address, *want;
	} rows[] = { { "192.0.2.1", "a_b.example" }, { "192.0.2.2", "second.example" }, { "192.0.2.3", "last" },
		     { "::1", "six" },
		     { "192.0.2.9", NULL }, { "::2", NULL } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned char ip[16];
		struct span name = SPAN_NULL;
		int family = dns_text_address(span_z(rows[i].address), ip);
		bool found = dns_text_hosts(SPAN_LIT(text), ip, family, &name);

		if (found != (rows[i].want != NULL) || (found && !span_eqz(name, rows[i].want)))
			fail_msg("%s: %.*s", rows[i].address, SPAN_ARG(name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_names),
		cmocka_unit_test(hosts_lines),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(remembers, setup, teardown),
		cmocka_unit_test_setup_teardown(does_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(closing_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_server, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
