/* Records say what the parser says, survive their blobs, and torn or foreign ones are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../proto/mime_tree.h"
#include "base/random.h"
#include "proto/imap_envelope.h"
#include "store/index.h"
#include "store/mail_record.h"
#include "store/mail_record_priv.h"

static void make(struct arena *a, struct span text, size_t chunk, struct mail_record *r)
{
	struct mail_record_maker *m = mail_record_begin(a);
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < text.n; i += chunk)
		assert_int_equal(mail_record_feed(m, span_sub(text, i, chunk), &err), 0);
	if (mail_record_end(m, r, &err) < 0)
		fail_msg("%s", err.msg);
}

static void eq(const char *label, const char *what, struct span got, struct span want)
{
	if (!span_eq(got, want))
		fail_msg("%s: %s: %.*s, not %.*s", label, what, SPAN_ARG(got), SPAN_ARG(want));
}

static void eq_keys(const char *label, const struct mail_keys *a, const struct mail_keys *b)
{
	eq(label, "subject", a->subject, b->subject);
	eq(label, "base", a->base_subject, b->base_subject);
	eq(label, "from", a->from, b->from);
	eq(label, "to", a->to, b->to);
	eq(label, "cc", a->cc, b->cc);
	eq(label, "bcc", a->bcc, b->bcc);
	eq(label, "from_key", a->from_key, b->from_key);
	eq(label, "to_key", a->to_key, b->to_key);
	eq(label, "cc_key", a->cc_key, b->cc_key);
	eq(label, "from_display", a->from_display, b->from_display);
	eq(label, "to_display", a->to_display, b->to_display);
	eq(label, "message_id", a->message_id, b->message_id);
	eq(label, "references", a->references, b->references);
	assert_true(a->is_reply == b->is_reply && a->is_cut == b->is_cut && a->sent_zone_min == b->sent_zone_min);
}

static void eq_record(const char *label, const struct mail_record *a, const struct mail_record *b)
{
	assert_true(a->sent_s == b->sent_s && a->size == b->size && a->vsize == b->vsize);
	eq_keys(label, &a->keys, &b->keys);
	eq(label, "envelope", a->body.envelope, b->body.envelope);
	eq(label, "structure", a->body.structure, b->body.structure);
	eq(label, "body", a->body.body, b->body.body);
	eq(label, "parts", a->body.parts, b->body.parts);
}

/* Every prefix of a blob is refused. */
static void check_blobs(const char *label, const struct mail_record *r)
{
	struct str keys = STR_INIT(1 << 24), body = STR_INIT(1 << 24);
	struct mail_record got = *r;
	size_t n;

	assert_int_equal(mail_keys_encode(&keys, &r->keys), 0);
	assert_int_equal(mail_body_encode(&body, &r->body), 0);
	assert_int_equal(mail_keys_decode(&got.keys, str_span(&keys)), 0);
	assert_int_equal(mail_body_decode(&got.body, str_span(&body)), 0);
	eq_record(label, &got, r);
	for (n = 0; n < keys.n; n++)
		if (mail_keys_decode(&got.keys, span_sub(str_span(&keys), 0, n)) != -1)
			fail_msg("%s: %zu of %zu bytes of keys", label, n, keys.n);
	for (n = 0; n < body.n; n += 1 + body.n / 500)
		if (mail_body_decode(&got.body, span_sub(str_span(&body), 0, n)) != -1)
			fail_msg("%s: %zu of %zu bytes of body", label, n, body.n);
	(void)!str_addc(&keys, 'x');
	assert_int_equal(mail_keys_decode(&got.keys, str_span(&keys)), -1);
	keys.n--;
	keys.p[0] ^= 64;
	assert_int_equal(mail_keys_decode(&got.keys, str_span(&keys)), -1);
	str_fini(&keys);
	str_fini(&body);
}

/* Each numbered part is where the tree says it is. */
static void check_parts(const char *label, const struct mail_record *r, struct mime_part *root)
{
	struct mail_part p, again;
	unsigned n = 0;
	size_t pos = 0;

	while (mail_record_next(r->body.parts, &pos, &p)) {
		const struct mime_part *want = root;
		unsigned path[200];
		size_t depth = 0;
		struct span rest = p.section, word;
		uint64_t number;

		assert_int_equal(mail_record_part(r->body.parts, p.section, &again), 1);
		assert_true(again.body_offset == p.body_offset && again.kind == p.kind);
		while (span_word(&rest, ".", &word)) {
			assert_int_equal(span_u64(word, UINT32_MAX, &number), 0);
			path[depth++] = (unsigned)number;
		}
		/* RFC 3501: 1 of a message that is itself message/rfc822 is that part; mime_find begins inside it */
		if (root->kind != MIME_MESSAGE)
			want = mime_find(root, path, depth);
		else if (depth > 1)
			want = mime_find(root, path + 1, depth - 1);
		if (!want || p.kind != want->kind || p.header_offset != want->header_offset ||
		    p.body_offset != want->body_offset || memcmp(&p.header, &want->header, sizeof(p.header)) != 0 ||
		    memcmp(&p.body, &want->body, sizeof(p.body)) != 0 || !span_eq(p.encoding, want->encoding))
			fail_msg("%s: part %.*s", label, SPAN_ARG(p.section));
		if (want->kind == MIME_MESSAGE)
			assert_memory_equal(&p.inner, &want->child->header, sizeof(p.inner));
		n++;
	}
	assert_int_equal(pos, r->body.parts.n);
	assert_true(n >= 1 + (root->kind != MIME_MULTIPART));
	assert_int_equal(mail_record_part(r->body.parts, SPAN_LIT("0"), &p), 0);
	assert_int_equal(mail_record_part(r->body.parts, SPAN_LIT("1.2.3.4.5.6"), &p), 0);
}

static void check_shape(const char *label, struct span text, int fd)
{
	struct arena a = { 0 };
	struct mime_part *root = mime_parse(&a, text, NULL);
	struct str want = STR_INIT(1 << 24);
	struct mail_record r, other;
	struct err err = ERR_INIT;

	make(&a, text, text.n + 1, &r);
	assert_int_equal(imap_envelope(&want, root->envelope), 0);
	eq(label, "envelope", r.body.envelope, str_span(&want));
	str_reset(&want);
	assert_int_equal(imap_envelope_body(&want, root, true), 0);
	eq(label, "structure", r.body.structure, str_span(&want));
	str_reset(&want);
	assert_int_equal(imap_envelope_body(&want, root, false), 0);
	eq(label, "body", r.body.body, str_span(&want));
	assert_true(r.size == text.n && r.vsize == root->header.crlf_octets + root->body.crlf_octets);
	if (r.is_unended != (text.n && text.p[text.n - 1] != '\n'))
		fail_msg("%s: is_unended is %d", label, r.is_unended);
	make(&a, text, 1, &other);
	eq_record(label, &other, &r);
	make(&a, text, 7, &other);
	eq_record(label, &other, &r);
	assert_int_equal(mail_record_read(&a, fd, &other, &err), 0);
	eq_record(label, &other, &r);
	check_blobs(label, &r);
	check_parts(label, &r, root);
	str_fini(&want);
	arena_fini(&a);
}

static void test_shapes(void **state)
{
	DIR *d = opendir(SHAPES_DIR);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		struct stat st;
		char *text;
		int fd;

		if (!span_ends_nocase(span_z(e->d_name), ".eml"))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0 && fstat(fd, &st) == 0);
		text = malloc((size_t)st.st_size + 1);
		assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
		check_shape(e->d_name, (struct span){ text, (size_t)st.st_size }, fd);
		free(text);
		close(fd);
		n++;
	}
	closedir(d);
	assert_true(n >= 150);
}

static void test_keys(void **state)
{
	static const struct {
		const char *label, *text;
		int64_t sent_s;
		const char *subject, *base, *from, *to, *from_key, *to_key, *cc_key, *from_display, *to_display, *id;
		bool is_reply;
		int zone;
	} rows[] = {
		{ "plain", "Date: Sun, 22 Nov 2026 07:00:00 +0130\nFrom: \"A. Bee\" <ab@x.org>\nTo: c@d.e, f@g.h\n"
		  "Cc: Group: one@x, two@y;\nSubject: Re: [l] hello\nMessage-ID: <1@x.org>\n\n",
		  1795325400, "RE: [L] HELLO", "HELLO", "\"A. BEE\" <AB@X.ORG>", "C@D.E, F@G.H", "AB", "C", "GROUP", "A. BEE",
		  "C@D.E", "1@x.org", true, 90 },
		{ "nothing", "\n\nbody", INT64_MIN, "", "", "", "", "", "", "", "", "", "", false, 0 },
		{ "no header end", "Subject: x", INT64_MIN, "X", "X", "", "", "", "", "", "", "", "", false, 0 },
		{ "encoded", "Subject: =?utf-8?q?Re=3A_=C3=A4b?=\nFrom: =?iso-8859-1?Q?J=F6rg?= <j@x>\n\n", INT64_MIN,
		  "RE: A\xcc\x88" "B", "A\xcc\x88" "B", "JO\xcc\x88RG <J@X>", "", "J", "", "", "JO\xcc\x88RG", "", "", true, 0 },
		{ "8 bit", "Subject: \xc3\xa4\xff\n\n", INT64_MIN, "A\xcc\x88\xef\xbf\xbd", "A\xcc\x88\xef\xbf\xbd", "", "", "", "", "",
		  "", "", "", false, 0 },
		{ "two of a name", "To: a@b\nTo: c@d\n\n", INT64_MIN, "", "", "", "A@B\nC@D", "", "A", "", "", "A@B", "", false, 0 },
		{ "folded", "Subject: one\n two\nTo: a@b,\n\tc@d\n\n", INT64_MIN, "ONE TWO", "ONE TWO", "", "A@B, C@D", "", "A", "", "",
		  "A@B", "", false, 0 },
		{ "base not a tail", "Subject: Fwd: x (fwd)\n\n", INT64_MIN, "FWD: X (FWD)", "X", "", "", "", "", "", "", "", "", true,
		  0 },
		{ "bad date", "Date: yesterday\nMessage-ID: none\n\n", INT64_MIN, "", "", "", "", "", "", "", "", "", "", false, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a = { 0 };
		struct mail_record r;
		const struct mail_keys want = { .subject = span_z(rows[i].subject), .base_subject = span_z(rows[i].base),
			.from = span_z(rows[i].from), .to = span_z(rows[i].to), .cc = { NULL, 0 }, .from_key = span_z(rows[i].from_key),
			.to_key = span_z(rows[i].to_key), .cc_key = span_z(rows[i].cc_key),
			.from_display = span_z(rows[i].from_display), .to_display = span_z(rows[i].to_display),
			.message_id = span_z(rows[i].id), .is_reply = rows[i].is_reply, .sent_zone_min = rows[i].zone };

		make(&a, span_z(rows[i].text), 1000, &r);
		r.keys.cc = SPAN_NULL;
		eq_keys(rows[i].label, &r.keys, &want);
		if (r.sent_s != rows[i].sent_s)
			fail_msg("%s: sent %lld", rows[i].label, (long long)r.sent_s);
		check_blobs(rows[i].label, &r);
		arena_fini(&a);
	}
}

static void test_ids(void **state)
{
	static const struct { const char *label, *in, *want; } rows[] = {
		{ "one", "<a@b>", "a@b|" },
		{ "several", "<a@b> <c@d>\t<e@f>", "a@b|c@d|e@f|" },
		{ "quoted (RFC 5256 section 3)", "<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com|" },
		{ "backslash", "<\"a\\\"b\"@c>", "a\"b@c|" },
		{ "bracket in quotes", "<\"a>b\"@c>", "a>b@c|" },
		{ "at in quotes", "<\"a@b\">", "" },
		{ "words around", "from <a@b> of Monday (comment) <c@d>", "a@b|c@d|" },
		{ "no at", "<abc> <a@b>", "a@b|" },
		{ "nothing before or behind", "<@b> <a@> <>", "" },
		{ "not closed", "<a@b", "" },
		{ "opened twice", "<a@b <c@d>", "c@d|" },
		{ "folded inside", "<a@\r\n b>", "a@b|" },
		{ "domain literal", "<a@[192.0.2.1]>", "a@[192.0.2.1]|" },
		{ "case stays", "<A@B>", "A@B|" },
		{ "no brackets", "a@b", "" }, { "empty", "", "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct span in = span_z(rows[i].in);
		struct str out = STR_INIT(1000);

		while (mail_record_id(&in, &out))
			(void)!str_addc(&out, '|');
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].label, out.p);
		str_fini(&out);
	}
}

static void test_references(void **state)
{
	static const struct { const char *label, *in, *want; size_t n; } rows[] = {
		{ "references", "References: <a@b> <c@d>\nIn-Reply-To: <e@f>\n\n", "a@b\0c@d", 7 },
		{ "in-reply-to, the first", "In-Reply-To: <e@f> <g@h>\n\n", "e@f", 3 },
		{ "broken references", "References: a b c\nIn-Reply-To: Your message <e@f>\n\n", "e@f", 3 },
		{ "none", "Subject: x\n\n", "", 0 },
	};
	struct str big = STR_INIT(1 << 20);
	struct arena a = { 0 };
	struct mail_record r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		make(&a, span_z(rows[i].in), 5, &r);
		eq(rows[i].label, "references", r.keys.references, (struct span){ rows[i].want, rows[i].n });
	}
	/* of very many the first and the last stay */
	(void)!str_addz(&big, "References:");
	for (i = 0; i < 5000; i++)
		(void)!str_addf(&big, " <%zu@example.org>\n", i);
	(void)!str_addz(&big, "\n");
	make(&a, str_span(&big), 4096, &r);
	assert_true(r.keys.references.n < 8300 && r.keys.references.n > 8000);
	assert_memory_equal(r.keys.references.p, "0@example.org", 14);
	assert_memory_equal(r.keys.references.p + r.keys.references.n - 17, "\0" "4999@example.org", 17);
	check_blobs("many references", &r);
	str_fini(&big);
	arena_fini(&a);
}

/* A long field is cut at a character, and says so. */
static void test_long(void **state)
{
	static const struct { const char *label; size_t n; bool is_cut; } rows[] = {
		{ "short", 10, false }, { "as long as may be", 341, false }, { "longer", 342, true }, { "much longer", 5000, true },
		{ "huge", 500000, true },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str text = STR_INIT(1 << 22);
		struct arena a = { 0 };
		struct mail_record r;

		(void)!str_addz(&text, "Subject: ");
		for (k = 0; k < rows[i].n; k++)
			(void)!str_addz(&text, "\xc3\xa4");      /* folds to three bytes */
		(void)!str_addz(&text, "\nFrom: x@y\n\n");
		make(&a, str_span(&text), 4096, &r);
		if (r.keys.is_cut != rows[i].is_cut || r.keys.subject.n > 1024 || r.keys.base_subject.n > 1024 ||
		    (!rows[i].is_cut && r.keys.subject.n != rows[i].n * 3))
			fail_msg("%s: %zu bytes, cut %d", rows[i].label, r.keys.subject.n, r.keys.is_cut);
		eq(rows[i].label, "from", r.keys.from, SPAN_LIT("X@Y"));
		check_blobs(rows[i].label, &r);
		str_fini(&text);
		arena_fini(&a);
	}
}

#define NESTED "Subject: out\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n" \
	"Content-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n" \
	"two\n--c\nContent-Type: text/html; charset=ISO-8859-1\nContent-Transfer-Encoding: base64\n\nthree\n--c--\n--b\n" \
	"Content-Type: message/rfc822\n\nSubject: single\n\nfour\n--b\nContent-Type: image/png\n\nfive\n--b--\n"

static void test_sections(void **state)
{
	static const struct { const char *label, *text, *want; } rows[] = {
		{ "nested", NESTED, "=2 1=1 2=3 2.1=1 2.2=1 3=3 3.1=1 4=0 " },
		{ "single", "Subject: x\n\nbody", "=1 1=1 " },
		{ "a message itself", "Content-Type: message/rfc822\n\nSubject: y\n\nbody", "=3 1=3 1.1=1 " },
		{ "a message of a message", "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nA: b\n\nbody",
		  "=3 1=3 1.1=3 1.1.1=1 " },
		{ "a message of parts", "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--",
		  "=3 1=3 1.1=1 " },
		{ "multipart without parts", "Content-Type: multipart/mixed; boundary=b\n\nnothing", "=2 " },
		{ "empty", "", "=1 1=1 " },
	};
	struct arena a = { 0 };
	struct mail_record r;
	struct mail_part p;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		size_t pos = 0;

		make(&a, span_z(rows[i].text), 11, &r);
		while (mail_record_next(r.body.parts, &pos, &p))
			(void)!str_addf(&out, "%.*s=%d ", SPAN_ARG(p.section), (int)p.kind);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].label, out.p);
		str_fini(&out);
	}
	make(&a, SPAN_LIT(NESTED), 11, &r);
	assert_int_equal(mail_record_part(r.body.parts, SPAN_LIT("2.2"), &p), 1);
	eq("2.2", "body", span_sub(SPAN_LIT(NESTED), p.body_offset, p.body.octets), SPAN_LIT("three"));
	eq("2.2", "charset", p.charset, SPAN_LIT("ISO-8859-1"));
	eq("2.2", "encoding", p.encoding, SPAN_LIT("base64"));
	assert_int_equal(mail_record_part(r.body.parts, SPAN_LIT("3"), &p), 1);
	eq("3.HEADER", "inner", span_sub(SPAN_LIT(NESTED), p.body_offset, p.inner.octets), SPAN_LIT("Subject: single\n\n"));
	eq("3.TEXT", "text", span_sub(SPAN_LIT(NESTED), p.body_offset + p.inner.octets, p.body.octets - p.inner.octets),
	   SPAN_LIT("four"));
	arena_fini(&a);
}

/* ---- the inbox ---- */

static char root[64];
static int dir = -1;

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/index-record-XXXXXX");
	assert_non_null(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return 0;
}

static int teardown(void **state)
{
	close(dir);
	nftw(root, rm_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void add_entry(struct str *out, unsigned i)
{
	struct arena a = { 0 };
	struct mail_record r;
	char text[200], name[64];

	snprintf(text, sizeof(text), "Subject: letter %u\nDate: Sun, 22 Nov 2026 07:00:00 +0000\n\nbody %u\n", i, i);
	snprintf(name, sizeof(name), "1700.M%u.host,S=1", i);
	make(&a, span_z(text), 1000, &r);
	assert_int_equal(mail_inbox_encode(out, span_z(name), &r), 0);
	arena_fini(&a);
}

/* Entries as "0 1 3 ", each checked. */
static struct str list(struct span bytes)
{
	struct str out = STR_INIT(100000);
	struct span name, keys, body;
	struct mail_record r;

	while (mail_inbox_next(&bytes, &name, &r, &keys, &body)) {
		char want[64];
		uint64_t i;
		struct span number = span_sub(name, 6, (size_t)(span_chr(name, 'h') - 7));
		struct mail_keys k;

		assert_int_equal(span_u64(number, 100000, &i), 0);
		snprintf(want, sizeof(want), "LETTER %u", (unsigned)i);
		eq("entry", "subject", r.keys.subject, span_z(want));
		assert_int_equal(mail_keys_decode(&k, keys), 0);
		eq("entry", "blob", k.subject, span_z(want));
		assert_true(r.sent_s == 1795330800 && r.size > 60 && r.vsize == r.size + 4 && body.n > 0);
		(void)!str_addf(&out, "%u ", (unsigned)i);
	}
	assert_int_equal(bytes.n, 0);
	return out;
}

static void expect(const char *label, struct span bytes, const char *want)
{
	struct str got = list(bytes);

	if (strcmp(got.p, want) != 0)
		fail_msg("%s: %s, not %s", label, got.p, want);
	str_fini(&got);
}

static void test_inbox_codec(void **state)
{
	struct str all = STR_INIT(100000), torn = STR_INIT(100000);
	size_t ends[5], i, n;

	for (i = 0; i < 5; i++) {
		add_entry(&all, (unsigned)i);
		ends[i] = all.n;
	}
	expect("whole", str_span(&all), "0 1 2 3 4 ");
	expect("nothing", SPAN_NULL, "");
	/* cut anywhere: what was whole is there */
	for (n = 0; n <= all.n; n++) {
		char want[32] = "";

		for (i = 0; i < 5 && ends[i] <= n; i++)
			snprintf(want + 2 * i, sizeof(want) - 2 * i, "%zu ", i);
		expect("cut", span_sub(str_span(&all), 0, n), want);
	}
	/* torn in the middle, then more */
	for (n = ends[0] + 1; n < ends[1]; n++) {
		str_reset(&torn);
		(void)!str_add(&torn, all.p, n);
		(void)!str_add(&torn, all.p + ends[1], all.n - ends[1]);
		expect("torn", str_span(&torn), "0 2 3 4 ");
	}
	/* a byte that changed */
	for (n = ends[0]; n < ends[1]; n++) {
		all.p[n] ^= 32;
		expect("changed", str_span(&all), "0 2 3 4 ");
		all.p[n] ^= 32;
	}
	str_fini(&all);
	str_fini(&torn);
}

static void test_inbox_file(void **state)
{
	struct str entry = STR_INIT(1 << 23);
	struct arena a = { 0 };
	struct span bytes;
	struct stat st;
	unsigned i;

	add_entry(&entry, 1);
	mail_inbox_append(dir, str_span(&entry));
	assert_int_equal(faccessat(dir, INDEX_DIR, F_OK, 0), -1);
	assert_int_equal(mail_inbox_take(dir, &a, &bytes), 0);
	assert_int_equal(mkdirat(dir, INDEX_DIR, 0700), 0);
	assert_int_equal(mail_inbox_take(dir, &a, &bytes), 0);
	mail_inbox_append(dir, str_span(&entry));
	mail_inbox_append(dir, str_span(&entry));
	assert_int_equal(mail_inbox_take(dir, &a, &bytes), 1);
	expect("taken", bytes, "1 1 ");
	assert_int_equal(mail_inbox_take(dir, &a, &bytes), 0);
	assert_int_equal(faccessat(dir, INDEX_DIR "/" INDEX_INBOX, F_OK, 0), -1);

	/* it does not grow without end */
	while (entry.n < 100000)
		add_entry(&entry, 2);
	for (i = 0; i < 60; i++)
		mail_inbox_append(dir, str_span(&entry));
	assert_int_equal(fstatat(dir, INDEX_DIR "/" INDEX_INBOX, &st, 0), 0);
	assert_true(st.st_size <= (off_t)MAIL_INBOX_MAX && st.st_size > (off_t)MAIL_INBOX_MAX - 200000);
	assert_int_equal(mail_inbox_take(dir, &a, &bytes), 1);
	assert_int_equal(bytes.n, st.st_size);

	/* what is no file there is left alone */
	assert_int_equal(mkfifoat(dir, INDEX_DIR "/" INDEX_INBOX, 0600), 0);
	mail_inbox_append(dir, str_span(&entry));
	assert_int_equal(mail_inbox_take(dir, &a, &bytes), 0);
	assert_int_equal(unlinkat(dir, INDEX_DIR "/" INDEX_INBOX, 0), 0);
	assert_int_equal(symlinkat("/dev/null", dir, INDEX_DIR "/" INDEX_INBOX), 0);
	mail_inbox_append(dir, str_span(&entry));
	assert_int_equal(mail_inbox_take(dir, &a, &bytes), 0);
	str_fini(&entry);
	arena_fini(&a);
}

static void test_garbage(void **state)
{
	unsigned i;

	for (i = 0; i < 20000; i++) {
		char bytes[64];
		struct span blob = { bytes, i % sizeof(bytes) };
		struct mail_keys k;
		struct mail_body b;
		struct mail_part p;
		size_t pos = 0;

		random_bytes(bytes, sizeof(bytes));
		bytes[0] = 1;
		(void)!mail_keys_decode(&k, blob);
		(void)!mail_body_decode(&b, blob);
		(void)!mail_record_part(blob, SPAN_LIT("1"), &p);
		while (mail_record_next(blob, &pos, &p))
			assert_true(pos <= blob.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes), cmocka_unit_test(test_keys), cmocka_unit_test(test_ids),
		cmocka_unit_test(test_references), cmocka_unit_test(test_long), cmocka_unit_test(test_sections),
		cmocka_unit_test(test_inbox_codec), cmocka_unit_test(test_garbage),
		cmocka_unit_test_setup_teardown(test_inbox_file, setup, teardown),
	};

	return cmocka_run_group_tests_name("mail_record", tests, NULL, NULL);
}
