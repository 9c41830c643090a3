/* What the index and the records cost: bench_index [DIRECTORY], best of several rounds. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/index.h"
#include "store/mail_record.h"

#define N 100000
#define CHECK(e) do { if ((e) < 0) fail(#e, &err); } while (0)

static struct err err;

static void fail(const char *what, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", what, e->msg);
	exit(1);
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void report(const char *what, double ms, double n, const char *unit)
{
	printf("%-44s %10.3f ms  %10.3f us per %s\n", what, ms, ms * 1000 / n, unit);
}

static char *letter(unsigned i, size_t size)
{
	struct str s = STR_INIT(1 << 20);

	str_addf(&s, "Return-Path: <list-bounces@lists.example.org>\r\nDelivered-To: user@example.com\r\n"
		 "Received: from mx.example.org (mx.example.org [192.0.2.%u])\r\n\tby mail.example.com (Surat) with ESMTPS id %08X\r\n"
		 "\tfor <user@example.com>; Sun, 22 Nov 2026 06:22:01 +0000 (UTC)\r\n"
		 "Date: Sun, 22 Nov 2026 07:%02u:%02u +0100\r\nFrom: Some Body %u <somebody%u@example.org>\r\n"
		 "To: The List <list@lists.example.org>, user@example.com\r\nCc: \"Other, One\" <other@example.net>\r\n"
		 "Subject: Re: [list] A plain subject about matter %u\r\nMessage-ID: <%u.abcdef@example.org>\r\n"
		 "In-Reply-To: <%u.abcdef@example.org>\r\nReferences: <%u.abcdef@example.org>\r\n <%u.abcdef@example.org>\r\n"
		 "List-Id: <list.lists.example.org>\r\nMIME-Version: 1.0\r\n", i % 250, i, i % 60, i % 60, i % 997,
		 i % 997, i, i, i - 1, i - 2, i - 1);
	if (size > 5000)
		str_addz(&s, "Content-Type: multipart/alternative; boundary=\"=_b1\"\r\n\r\n--=_b1\r\n"
			 "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
	else
		str_addz(&s, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	while (s.n < size / 2)
		str_addz(&s, "This is a line of text as people write it, more or less; it has a length.\r\n");
	if (size > 5000)
		str_addz(&s, "--=_b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n");
	while (s.n < size)
		str_addz(&s, "<p>This is a line of text as people write it, more or less; it has a length.</p>\r\n");
	if (size > 5000)
		str_addz(&s, "--=_b1--\r\n");
	return str_detach(&s);
}

static void bench_record(size_t size, unsigned n)
{
	struct arena a = { .chunk = 32768 };
	struct str keys = STR_INIT(1 << 20), body = STR_INIT(1 << 20);
	char *text[16], label[64];
	double best = 1e9;
	unsigned round, i;

	for (i = 0; i < ARRAY_LEN(text); i++)
		text[i] = letter(i * 37, size);
	for (round = 0; round < 5; round++) {
		double t = cpu_ms();

		for (i = 0; i < n; i++) {
			struct mail_record_maker *m = mail_record_begin(&a);
			struct mail_record r;

			CHECK(mail_record_feed(m, span_z(text[i % 16]), &err));
			CHECK(mail_record_end(m, &r, &err));
			str_reset(&keys);
			str_reset(&body);
			CHECK(mail_keys_encode(&keys, &r.keys));
			CHECK(mail_body_encode(&body, &r.body));
			arena_reset(&a);
		}
		t = cpu_ms() - t;
		best = t < best ? t : best;
	}
	snprintf(label, sizeof(label), "record of a letter of %zu bytes", size);
	report(label, best, n, "letter");
	printf("    keys %zu bytes, body %zu bytes\n", keys.n, body.n);
	for (i = 0; i < ARRAY_LEN(text); i++)
		free(text[i]);
	str_fini(&keys);
	str_fini(&body);
	arena_fini(&a);
}

static void fill(struct index *x, struct index_folder *f)
{
	struct str keys = STR_INIT(1 << 20), body = STR_INIT(1 << 20);
	struct arena a = { .chunk = 32768 };
	struct mail_record_maker *m = mail_record_begin(&a);
	struct mail_record r;
	struct index_txn t;
	char *text = letter(7, 2000);
	double start = cpu_ms();
	uint32_t uid;

	CHECK(mail_record_feed(m, span_z(text), &err));
	CHECK(mail_record_end(m, &r, &err));
	CHECK(mail_keys_encode(&keys, &r.keys));
	CHECK(mail_body_encode(&body, &r.body));
	CHECK(index_begin(x, true, &t, &err));
	CHECK(index_folder_put(&t, SPAN_LIT(""), f, &err));
	for (uid = 1; uid <= N; uid++) {
		struct index_msg msg = { .uid = uid, .modseq = f->modseq, .size = 2000, .vsize = 2000 };
		char name[64];

		snprintf(name, sizeof(name), "1700%06u.M1P2Q3.mail.example.com,S=2000,W=2000:2,S", uid);
		CHECK(index_msg_put(&t, f->id, &msg, &err));
		CHECK(index_part_put(&t, f->id, uid, INDEX_NAME, span_z(name), &err));
		CHECK(index_part_put(&t, f->id, uid, INDEX_KEYS, str_span(&keys), &err));
		CHECK(index_part_put(&t, f->id, uid, INDEX_BODY, str_span(&body), &err));
	}
	CHECK(index_commit(&t, &err));
	report("writing all parts, one transaction", cpu_ms() - start, N, "message");
	free(text);
	str_fini(&keys);
	str_fini(&body);
	arena_fini(&a);
}

static bool add_msg(void *arg, const struct index_msg *m)
{
	*(uint64_t *)arg += m->flags + m->uid;
	return true;
}

static bool add_keys(void *arg, uint32_t uid, struct span v)
{
	struct mail_keys k;

	if (mail_keys_decode(&k, v) == 0)
		*(uint64_t *)arg += k.subject.n;
	return true;
}

static bool add_body(void *arg, uint32_t uid, struct span v)
{
	struct mail_body b;

	if (mail_body_decode(&b, v) == 0)
		*(uint64_t *)arg += b.envelope.n;
	return true;
}

enum walk { WALK_MSG, WALK_KEYS, WALK_BODY, WALK_GET };

static void bench_walk(struct index *x, uint32_t folder, enum walk which, const char *label)
{
	double best = 1e9;
	uint64_t sum = 0;
	int round;

	for (round = 0; round < 7; round++) {
		double start = cpu_ms();
		struct index_txn t;
		struct span v;
		uint32_t uid;

		CHECK(index_begin(x, false, &t, &err));
		if (which == WALK_MSG)
			CHECK(index_msg_walk(&t, folder, 0, add_msg, &sum, &err));
		else if (which == WALK_GET)
			for (uid = 1; uid <= N; uid++)
				CHECK(index_part_get(&t, folder, uid, INDEX_BODY, &v, &err));
		else
			CHECK(index_part_walk(&t, folder, 0, which == WALK_KEYS ? INDEX_KEYS : INDEX_BODY,
					      which == WALK_KEYS ? add_keys : add_body, &sum, &err));
		index_end(&t);
		start = cpu_ms() - start;
		best = start < best ? start : best;
	}
	report(label, best, N, "message");
}

static void bench_change(struct index *x, uint32_t folder)
{
	double start = cpu_ms(), n = 5000;
	struct index_folder f;
	struct index_msg m;
	struct index_txn t;
	int i;

	for (i = 0; i < (int)n; i++) {
		uint32_t uid = 1 + (uint32_t)i * 7919u % N;

		CHECK(index_begin(x, true, &t, &err));
		CHECK(index_folder_get(&t, SPAN_LIT(""), &f, &err));
		CHECK(index_msg_get(&t, folder, uid, &m, &err));
		m.flags ^= INDEX_SEEN;
		m.modseq = f.modseq = index_folder_next_modseq(&f);
		CHECK(index_msg_put(&t, folder, &m, &err));
		CHECK(index_part_put(&t, folder, uid, INDEX_NAME,
				     SPAN_LIT("1700000000.M1P2Q3.mail.example.com,S=2000:2,FS"), &err));
		CHECK(index_folder_put(&t, SPAN_LIT(""), &f, &err));
		CHECK(index_commit(&t, &err));
	}
	report("one flag change, a transaction each", cpu_ms() - start, n, "change");
	start = cpu_ms();
	for (i = 0; i < (int)n; i++) {
		CHECK(index_begin(x, false, &t, &err));
		CHECK(index_folder_get(&t, SPAN_LIT(""), &f, &err));
		index_end(&t);
	}
	report("begin, read a folder, end", cpu_ms() - start, n, "time");
	start = cpu_ms();
	for (i = 0; i < 200; i++) {
		(void)!index_rest(x);
		CHECK(index_begin(x, false, &t, &err));
		index_end(&t);
	}
	report("rest and open again", cpu_ms() - start, 200, "time");
}

int main(int argc, char **argv)
{
	char path[256];
	struct index_options opt = { .instance = 1 };
	struct index_folder f = { .validity = 1 };
	struct index *x;

	bench_record(2000, 20000);
	bench_record(20000, 5000);
	if (argc > 2) return 0;
	snprintf(path, sizeof(path), "%s/bench-index-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!mkdtemp(path))
		return 1;
	opt.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(index_open(&x, &opt, &err));
	fill(x, &f);
	bench_walk(x, f.id, WALK_MSG, "walk over the fixed parts");
	bench_walk(x, f.id, WALK_KEYS, "walk over the keys, decoded");
	bench_walk(x, f.id, WALK_BODY, "walk over the bodies, decoded");
	bench_walk(x, f.id, WALK_GET, "each body by its UID");
	bench_change(x, f.id);
	index_close(&x);
	unlinkat(opt.dir, INDEX_DIR "/data.mdb", 0);
	unlinkat(opt.dir, INDEX_DIR "/lock.mdb", 0);
	unlinkat(opt.dir, INDEX_DIR "/state", 0);
	unlinkat(opt.dir, INDEX_DIR, AT_REMOVEDIR);
	rmdir(path);
	return 0;
}
