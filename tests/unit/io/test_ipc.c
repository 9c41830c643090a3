#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/ipc.h"
#include "io/loop.h"

/* ---- messages of the test ---- */

#define LEAF_FIELDS(S, U64, STR, LIST) STR(S, name) U64(S, n)
IPC_STRUCT(leaf, LEAF_FIELDS)
#define BRANCH_FIELDS(S, U64, STR, LIST) STR(S, name) LIST(S, leaves, leaf)
IPC_STRUCT(branch, BRANCH_FIELDS)
#define TREE_FIELDS(S, U64, STR, LIST)                                                          \
	U64(S, a) STR(S, text) LIST(S, branches, branch) U64(S, z) LIST(S, more, leaf) STR(S, end)
IPC_STRUCT(tree, TREE_FIELDS)
#define NOTE_FIELDS(S, U64, STR, LIST) U64(S, n) STR(S, text)
IPC_STRUCT(note, NOTE_FIELDS)
#define ASK_FIELDS(S, U64, STR, LIST) U64(S, n) STR(S, text)
IPC_STRUCT(ask, ASK_FIELDS)
#define TELL_FIELDS(S, U64, STR, LIST) U64(S, n) STR(S, text)
IPC_STRUCT(tell, TELL_FIELDS)
extern const struct ipc_desc bare_desc;

enum { MSG_TREE = 1, MSG_NOTE, MSG_ASK, MSG_TELL, MSG_BARE };

IPC_DESC(leaf, LEAF_FIELDS, 0)
IPC_DESC(branch, BRANCH_FIELDS, 0)
IPC_DESC(tree, TREE_FIELDS, MSG_TREE)
IPC_DESC(note, NOTE_FIELDS, MSG_NOTE)
IPC_DESC(ask, ASK_FIELDS, MSG_ASK)
IPC_DESC(tell, TELL_FIELDS, MSG_TELL)
IPC_EMPTY(bare, MSG_BARE)

/* ---- codec ---- */

static void expect_span(struct span s, const char *z)
{
	assert_int_equal(s.n, strlen(z));
	assert_memory_equal(s.p ? s.p : "", z, s.n);
}

static struct str encode(const struct ipc_desc *d, const void *in)
{
	struct str out = STR_INIT(1u << 20);

	assert_int_equal(ipc_encode(&out, d, in), 0);
	return out;
}

static void test_round_trip(void **state)
{
	static char zeros[3] = "a\0b";
	struct leaf few[] = { { SPAN_LIT("x"), 1 }, { SPAN_NULL, 0 }, { { zeros, 3 }, UINT64_MAX } };
	struct branch two[] = { { SPAN_LIT("left"), { few, 3 } }, { SPAN_LIT("right"), { NULL, 0 } } };
	struct tree in = { 0, SPAN_LIT("text"), { two, 2 }, 1ull << 63, { few, 1 }, SPAN_NULL };
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct str bytes = encode(&tree_desc, &in);
	const struct tree *out = ipc_decode(&tree_desc, str_span(&bytes), &a, &err);
	const struct branch *b;
	const struct leaf *l;

	assert_non_null(out);
	assert_int_equal(out->a, 0);
	expect_span(out->text, "text");
	assert_int_equal(out->z, 1ull << 63);
	assert_int_equal(out->branches.n, 2);
	b = out->branches.v;
	expect_span(b[0].name, "left");
	assert_int_equal(b[0].leaves.n, 3);
	l = b[0].leaves.v;
	assert_int_equal(l[0].n, 1);
	assert_int_equal(l[1].name.n, 0);
	assert_int_equal(l[2].name.n, 3);
	assert_memory_equal(l[2].name.p, zeros, 3);
	assert_int_equal(l[2].n, UINT64_MAX);
	assert_int_equal(b[1].leaves.n, 0);
	assert_int_equal(out->more.n, 1);
	assert_int_equal(out->end.n, 0);
	str_fini(&bytes);
	arena_fini(&a);
}

static void test_empty_and_defaults_take_no_bytes(void **state)
{
	struct tree zero = { 0 };
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct str bytes = encode(&tree_desc, &zero);

	assert_int_equal(bytes.n, 0);
	assert_non_null(ipc_decode(&tree_desc, SPAN_NULL, &a, &err));
	assert_non_null(ipc_decode(&bare_desc, SPAN_NULL, &a, &err));
	assert_int_equal(ipc_encode(&bytes, &bare_desc, NULL), 0);
	assert_int_equal(bytes.n, 0);
	arena_fini(&a);
}

static void put(struct str *s, uint16_t tag, uint32_t len, const char *bytes, size_t n)
{
	assert_int_equal(str_add(s, &tag, 2) | str_add(s, &len, 4) | str_add(s, bytes, n), 0);
}

/* What a liar sends: each row is one or two fields of a note {1: u64 n, 2: str text} or of a tree. */
static void test_bad_bytes(void **state)
{
	static const char eight[9] = "\1\0\0\0\0\0\0\0";
	static const struct {
		const char *label;
		const struct ipc_desc *d;
		uint16_t tag1;
		uint32_t len1;
		size_t n1;
		uint16_t tag2;
		uint32_t len2;
		size_t n2;
		bool is_good;
	} rows[] = {
		{ "as it should be", &note_desc, 1, 8, 8, 2, 4, 4, true },
		{ "tag 0", &note_desc, 0, 8, 8, 2, 4, 4, false },
		{ "unknown tag", &note_desc, 1, 8, 8, 3, 4, 4, false },
		{ "largest tag", &note_desc, 65535, 8, 8, 2, 4, 4, false },
		{ "number of 4 bytes", &note_desc, 1, 4, 4, 2, 4, 4, false },
		{ "number of 0 bytes", &note_desc, 1, 0, 0, 2, 4, 4, false },
		{ "text longer than the frame", &note_desc, 1, 8, 8, 2, 5, 4, false },
		{ "length 2^32-1", &note_desc, 1, 8, 8, 2, UINT32_MAX, 4, false },
		{ "length 2^31", &note_desc, 2, 1u << 31, 8, 2, 4, 4, false },
		{ "twice the same", &note_desc, 1, 8, 8, 1, 8, 8, false },
		{ "out of order", &note_desc, 2, 8, 8, 1, 8, 8, false },
		{ "element with a bad tag", &tree_desc, 3, 8, 8, 3, 0, 0, false },
		{ "empty elements", &tree_desc, 3, 0, 0, 3, 0, 0, true },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str s = STR_INIT(1000);
		struct arena a = { 0 };
		struct err err = ERR_INIT;
		bool ok;

		put(&s, rows[i].tag1, rows[i].len1, eight, rows[i].n1);
		put(&s, rows[i].tag2, rows[i].len2, eight, rows[i].n2);
		ok = ipc_decode(rows[i].d, str_span(&s), &a, &err) != NULL;
		if (ok != rows[i].is_good || (!ok && err.kind != ERR_PROTO))
			fail_msg("%s: %s %s", rows[i].label, ok ? "accepted" : "refused", err.msg);
		str_fini(&s);
		arena_fini(&a);
	}
}

/* A valid message cut at every byte never crashes, and is refused unless the cut falls between two fields. */
static void test_every_cut(void **state)
{
	struct leaf few[] = { { SPAN_LIT("one"), 1 }, { SPAN_LIT("two"), 2 } };
	struct tree in = { 7, SPAN_LIT("abc"), { NULL, 0 }, 9, { few, 2 }, SPAN_LIT("end") };
	struct str bytes = encode(&tree_desc, &in);
	size_t i, good = 0;

	for (i = 0; i <= bytes.n; i++) {
		struct arena a = { 0 };
		struct err err = ERR_INIT;
		char *copy = malloc(i + 1);     /* so that the address sanitizer sees the end */

		memcpy(copy, bytes.p, i);
		good += ipc_decode(&tree_desc, (struct span){ copy, i }, &a, &err) != NULL;
		free(copy);
		arena_fini(&a);
	}
	assert_int_equal(good, 7);
	str_fini(&bytes);
}

/* ---- channels in a loop ---- */

struct side {
	struct ipc c;
	struct loop *loop;
	unsigned notes, asks, lost, drained, replies;
	enum ipc_rc last_rc;
	uint64_t last_n;
	char last_text[64];
	int kept_fd;
	bool close_in_handler;
	bool mute;                      /* does not answer */
	uint32_t waiting_id;
	struct err why;
};

static void remember(struct side *s, uint64_t n, struct span text)
{
	s->last_n = n;
	snprintf(s->last_text, sizeof(s->last_text), "%.*s", SPAN_ARG(text));
}

static void on_note(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct note *m = in;
	struct side *s = arg;

	s->notes++;
	remember(s, m->n, m->text);
	if (*fd >= 0 && m->n == 1) {
		s->kept_fd = *fd;
		*fd = -1;
	}
	if (s->close_in_handler)
		ipc_close(c);
}

static void on_ask(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct ask *m = in;
	struct tell t = { m->n + 1, m->text };
	struct side *s = arg;

	s->asks++;
	s->waiting_id = id;
	if (!s->mute)
		assert_int_equal(ipc_reply(c, id, &tell_desc, &t, NULL), 0);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct side *s = arg;

	assert_false(ipc_is_attached(c));
	s->lost++;
	s->why = *why;
}

static void on_drained(void *arg, struct ipc *c)
{
	((struct side *)arg)->drained++;
}

static void on_reply(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct side *s = arg;
	const struct tell *t = reply;

	s->replies++;
	s->last_rc = rc;
	if (rc == IPC_OK)
		remember(s, t->n, t->text);
	else
		assert_null(reply);
}

static const struct ipc_rule rules[] = { { &note_desc, ~0u, on_note }, { &ask_desc, 1, on_ask } };
static const struct ipc_ops ops = { "test", rules, ARRAY_LEN(rules), on_lost, on_drained };

struct world {
	struct loop loop;
	struct side a, b;
};

static void attach_pair(struct world *w)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	ipc_attach(&w->a.c, &sv[0]);
	ipc_attach(&w->b.c, &sv[1]);
	assert_int_equal(sv[0], -1);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	assert_int_equal(loop_init(&w->loop, &err), 0);
	ipc_init(&w->a.c, &w->loop, &ops, &w->a);
	ipc_init(&w->b.c, &w->loop, &ops, &w->b);
	w->a.kept_fd = w->b.kept_fd = -1;
	attach_pair(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	ipc_close(&w->a.c);
	ipc_close(&w->b.c);
	loop_fini(&w->loop);
	free(w);
	clock_fake_ms(0);
	return 0;
}

static void turns(struct world *w, int n)
{
	while (n-- > 0)
		loop_turn(&w->loop, false);
}

static void send_note(struct side *s, uint64_t n, const char *text, int *fd)
{
	struct note m = { n, span_z(text) };

	assert_int_equal(ipc_send(&s->c, &note_desc, &m, fd), 0);
}

static void call(struct side *s, struct ipc_req *req, uint64_t n, const char *text, uint64_t timeout_ms)
{
	struct ask m = { n, span_z(text) };

	assert_int_equal(ipc_call(&s->c, &ask_desc, &m, NULL, &tell_desc, req, on_reply, s, timeout_ms), 0);
}

static void test_send_and_call(void **state)
{
	struct world *w = *state;
	struct ipc_req req = { 0 };

	send_note(&w->a, 5, "hello", NULL);
	call(&w->a, &req, 41, "echo", 0);
	assert_int_equal(w->a.replies, 0);              /* never from inside the call */
	turns(w, 4);
	assert_int_equal(w->b.notes, 1);
	assert_int_equal(w->a.replies, 1);
	assert_int_equal(w->a.last_n, 42);
	assert_string_equal(w->a.last_text, "echo");
	assert_null(req.c);
}

/* All frames of a turn leave in one write: the peer's one read finds them together. */
static void test_batching(void **state)
{
	struct world *w = *state;
	int i;

	for (i = 0; i < 500; i++)
		send_note(&w->a, (uint64_t)i, "x", NULL);
	turns(w, 2);
	assert_int_equal(w->b.notes, 500);
	assert_int_equal(w->b.last_n, 499);
}

static void test_descriptors(void **state)
{
	struct world *w = *state;
	int p[2], i, before = dup(0), after;

	close(before);
	for (i = 0; i < 40; i++) {
		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		assert_int_equal(write(p[1], &i, sizeof(i)), (ssize_t)sizeof(i));
		close(p[1]);
		send_note(&w->a, 1, "take it", &p[0]);
		assert_int_equal(p[0], -1);
		send_note(&w->a, 2, "between", NULL);
		turns(w, 3);
		assert_true(w->b.kept_fd >= 0);
		assert_true(fcntl(w->b.kept_fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(read(w->b.kept_fd, p, sizeof(i)), (ssize_t)sizeof(i));
		assert_int_equal(p[0], i);
		close(w->b.kept_fd);
		w->b.kept_fd = -1;
	}
	/* many in one flush, and none kept: all are closed */
	for (i = 0; i < 100; i++) {
		int fd = dup(0);

		send_note(&w->a, 7, "not kept", &fd);
	}
	turns(w, 120);
	assert_int_equal(w->b.notes, 180);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void test_descriptor_is_closed_on_failure(void **state)
{
	struct world *w = *state;
	char *large = calloc(1, IPC_FRAME_MAX);
	struct note m = { 1, { large, IPC_FRAME_MAX } };
	int fd = dup(0), was = fd;

	memset(large, 'x', IPC_FRAME_MAX);
	assert_int_equal(ipc_send(&w->a.c, &note_desc, &m, &fd), -1);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(was, F_GETFD), -1);
	m.text.n = IPC_FRAME_MAX - 12 - 6 - 14;         /* head, field heads, number: just fits */
	assert_int_equal(ipc_send(&w->a.c, &note_desc, &m, NULL), 0);
	m.text.n++;
	assert_int_equal(ipc_send(&w->a.c, &note_desc, &m, NULL), -1);
	turns(w, 4);
	assert_int_equal(w->b.notes, 1);
	free(large);
	fd = was = dup(0);
	ipc_close(&w->a.c);
	m.text.n = 1;
	assert_int_equal(ipc_send(&w->a.c, &note_desc, &m, &fd), -1);
	assert_int_equal(fcntl(was, F_GETFD), -1);
	fd = was = dup(0);
	assert_int_equal(ipc_call(&w->a.c, &ask_desc, &m, &fd, &tell_desc, &(struct ipc_req){ 0 }, on_reply, &w->a, 0),
			 -1);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(was, F_GETFD), -1);
}

static void test_backpressure(void **state)
{
	struct world *w = *state;
	char *text = calloc(1, 30001);
	unsigned sent = 0, i;

	memset(text, 'y', 30000);
	while (!ipc_is_full(&w->a.c))
		send_note(&w->a, ++sent, text, NULL);
	assert_int_equal(w->a.drained, 0);
	for (i = 0; i < 100 && w->b.notes < sent; i++)
		turns(w, 1);
	assert_int_equal(w->b.notes, sent);
	assert_int_equal(w->b.last_n, sent);
	assert_int_equal(w->a.drained, 1);
	assert_false(ipc_is_full(&w->a.c));
	/* over the hard limit nothing is taken any more, and nothing is lost of what was */
	for (sent = 0; sent < 1000; sent++) {
		struct note m = { sent, { text, 30000 } };

		if (ipc_send(&w->a.c, &note_desc, &m, NULL) < 0)
			break;
	}
	assert_in_range(sent, 100, 200);
	w->b.notes = 0;
	for (i = 0; i < 500 && w->b.notes < sent; i++)
		turns(w, 1);
	assert_int_equal(w->b.notes, sent);
	free(text);
}

static void test_timeout(void **state)
{
	struct world *w = *state;
	struct ipc_req req = { 0 }, patient = { 0 };
	struct tell late = { 1, SPAN_LIT("late") };

	w->b.mute = true;
	call(&w->a, &patient, 2, "no limit", 0);
	call(&w->a, &req, 1, "quick", 500);
	turns(w, 3);
	assert_int_equal(w->b.asks, 2);
	while (w->a.replies == 0)
		loop_turn(&w->loop, true);
	assert_int_equal(w->a.last_rc, IPC_TIMEOUT);
	assert_null(req.c);
	assert_non_null(patient.c);
	/* the answer that comes too late is dropped, also when its slot serves another question */
	assert_int_equal(ipc_reply(&w->b.c, w->b.waiting_id, &tell_desc, &late, NULL), 0);
	call(&w->a, &req, 3, "next", 0);
	turns(w, 4);
	assert_int_equal(w->a.replies, 1);
	assert_int_equal(w->a.lost, 0);
	ipc_cancel(&req);
	ipc_cancel(&patient);
}

static void test_cancel(void **state)
{
	struct world *w = *state;
	struct ipc_req reqs[50] = { 0 };
	unsigned i;

	for (i = 0; i < 50; i++)
		call(&w->a, &reqs[i], i, "q", 0);
	for (i = 0; i < 50; i += 2)
		ipc_cancel(&reqs[i]);
	ipc_cancel(&reqs[0]);                           /* harmless */
	turns(w, 4);
	assert_int_equal(w->b.asks, 50);
	assert_int_equal(w->a.replies, 25);
	assert_int_equal(w->a.c.n_pending, 0);
}

static void test_peer_dies_while_pending(void **state)
{
	struct world *w = *state;
	struct ipc_req reqs[3] = { 0 };
	unsigned i;

	w->b.mute = true;
	for (i = 0; i < 3; i++)
		call(&w->a, &reqs[i], i, "q", 0);
	turns(w, 3);
	ipc_cancel(&reqs[1]);
	ipc_close(&w->b.c);
	turns(w, 3);
	assert_int_equal(w->a.replies, 2);
	assert_int_equal(w->a.last_rc, IPC_LOST);
	assert_int_equal(w->a.lost, 1);
	assert_int_equal(w->a.why.kind, ERR_NONE);
	/* a fresh end works as the first one did */
	w->b.mute = false;
	attach_pair(w);
	call(&w->a, &reqs[0], 9, "again", 0);
	turns(w, 4);
	assert_int_equal(w->a.last_n, 10);
}

static void test_close_in_handler(void **state)
{
	struct world *w = *state;
	int i;

	w->b.close_in_handler = true;
	for (i = 0; i < 5; i++)
		send_note(&w->a, 1, "x", NULL);
	turns(w, 4);
	assert_int_equal(w->b.notes, 1);
	assert_int_equal(w->b.lost, 0);
	assert_int_equal(w->a.lost, 1);
}

/* Bytes that are no frames, or frames that do not belong here, end this channel and nothing else. */
static void test_garbage(void **state)
{
	static const struct {
		const char *label;
		uint32_t words[4];
		size_t n;
	} rows[] = {
		{ "shorter than a head", { 4, 0, 0, 0 }, 12 },
		{ "length 0", { 0, 0, 0, 0 }, 12 },
		{ "longer than a frame may be", { IPC_FRAME_MAX + 1, MSG_NOTE, 0, 0 }, 12 },
		{ "length 2^32-1", { UINT32_MAX, MSG_NOTE, 0, 0 }, 12 },
		{ "unknown type", { 12, 999, 0, 0 }, 12 },
		{ "descriptor announced, none there", { 12, MSG_NOTE | 2u << 16, 0, 0 }, 12 },
		{ "body is no field", { 14, MSG_NOTE, 0, 0xffffffff }, 14 },
		{ "request in the wrong phase", { 12, MSG_ASK, 0, 0 }, 12 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w;

		set_up((void **)&w);
		w->b.c.phase = 2;
		assert_int_equal(write(w->a.c.fd, rows[i].words, rows[i].n), (ssize_t)rows[i].n);
		turns(w, 3);
		if (w->b.lost != 1 || w->b.why.kind != ERR_PROTO)
			fail_msg("%s: lost %u times, kind %d", rows[i].label, w->b.lost, (int)w->b.why.kind);
		tear_down((void **)&w);
	}
}

static void test_foreign_answers(void **state)
{
	struct world *w = *state;
	struct note wrong = { 1, SPAN_LIT("no tell") };
	struct tell t = { 1, SPAN_LIT("x") };
	struct ipc_req req = { 0 };

	assert_int_equal(ipc_reply(&w->b.c, 77, &tell_desc, &t, NULL), 0);     /* nobody asked: dropped */
	assert_int_equal(ipc_reply(&w->b.c, 0xffffffff, &tell_desc, &t, NULL), 0);
	turns(w, 3);
	assert_int_equal(w->a.lost, 0);
	w->b.mute = true;
	call(&w->a, &req, 1, "q", 0);
	turns(w, 3);
	assert_int_equal(ipc_reply(&w->b.c, w->b.waiting_id, &note_desc, &wrong, NULL), 0);
	turns(w, 3);
	assert_int_equal(w->a.lost, 1);
	assert_int_equal(w->a.why.kind, ERR_PROTO);
	assert_int_equal(w->a.last_rc, IPC_LOST);
}

/* The bytes of several frames arrive one at a time. */
static void test_byte_by_byte(void **state)
{
	struct world *w = *state;
	struct str raw = STR_INIT(4096);
	struct note m = { 3, SPAN_LIT("slowly") };
	uint32_t head[3] = { 0, MSG_NOTE, 0 }, len;
	size_t i;

	for (i = 0; i < 3; i++) {
		size_t start = raw.n;

		assert_int_equal(str_add(&raw, head, 12) | ipc_encode(&raw, &note_desc, &m), 0);
		len = (uint32_t)(raw.n - start);
		memcpy(raw.p + start, &len, sizeof(len));
	}
	for (i = 0; i < raw.n; i++) {
		assert_int_equal(write(w->a.c.fd, raw.p + i, 1), 1);
		turns(w, 1);
	}
	assert_int_equal(w->b.notes, 3);
	assert_string_equal(w->b.last_text, "slowly");
	str_fini(&raw);
}

/* ---- blocking use ---- */

/* The peer: answers asks; 13 is answered with a note, 14 by leaving, 15 never. */
static NORETURN void serve(int fd)
{
	static const struct ipc_ops none = { .name = "peer" };
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct ipc c;
	struct ipc_msg m;

	ipc_init(&c, NULL, &none, NULL);
	ipc_attach(&c, &fd);
	while (ipc_wait(&c, &m, UINT64_MAX, &err) == IPC_OK) {
		const struct ask *q = ipc_decode(&ask_desc, m.body, &a, &err);
		struct tell t = { q ? q->n * 2 : 0, q ? q->text : SPAN_NULL };
		struct note wrong = { 1, SPAN_NULL };
		int out = q && q->n == 16 ? open("/dev/null", O_RDONLY) : -1;

		if (!q || q->n == 14)
			break;
		if (q->n != 15 && (q->n == 13 ? ipc_reply(&c, m.id, &note_desc, &wrong, &out)
					      : ipc_reply(&c, m.id, &tell_desc, &t, &out)) < 0)
			break;
		if (ipc_flush(&c, &err) < 0)
			break;
	}
	_exit(0);
}

static const struct tell *ask_peer(uint64_t n, const char *text, struct arena *a, struct err *err)
{
	static const struct ipc_ops none = { .name = "peer" };
	struct ask q = { n, span_z(text) };
	const struct tell *t;
	struct ipc c;
	int sv[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	pid = fork();
	if (pid == 0) {
		close(sv[0]);
		serve(sv[1]);
	}
	close(sv[1]);
	ipc_init(&c, NULL, &none, NULL);
	ipc_attach(&c, &sv[0]);
	t = ipc_call_wait(&c, &ask_desc, &q, &tell_desc, a, n == 15 ? 50 : 5000, err);
	ipc_close(&c);
	waitpid(pid, NULL, 0);
	return t;
}

static void test_blocking(void **state)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	const struct tell *t = ask_peer(21, "twice", &a, &err);
	char *large = calloc(1, 60001);
	int next = open("/dev/null", O_RDONLY);

	close(next);
	assert_non_null(t);
	assert_int_equal(t->n, 42);
	expect_span(t->text, "twice");
	memset(large, 'z', 60000);
	t = ask_peer(1, large, &a, &err);
	assert_non_null(t);
	assert_int_equal(t->text.n, 60000);
	t = ask_peer(16, "with a descriptor", &a, &err);
	assert_non_null(t);
	assert_int_equal(fcntl(next, F_GETFD), -1);     /* none stays behind */
	assert_null(ask_peer(13, "wrong answer", &a, &err));
	assert_int_equal(err.kind, ERR_PROTO);
	assert_null(ask_peer(14, "leaves", &a, &err));
	assert_int_equal(err.kind, ERR_TEMP);
	err = (struct err)ERR_INIT;
	assert_null(ask_peer(15, "never", &a, &err));
	assert_int_equal(err.kind, ERR_TEMP);
	free(large);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty_and_defaults_take_no_bytes),
		cmocka_unit_test(test_bad_bytes),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test_setup_teardown(test_send_and_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batching, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_descriptor_is_closed_on_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_backpressure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peer_dies_while_pending, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_in_handler, set_up, tear_down),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test_setup_teardown(test_foreign_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, set_up, tear_down),
		cmocka_unit_test(test_blocking),
	};

	return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
