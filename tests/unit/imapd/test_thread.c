/* THREAD: each row is a mailbox, one message a word: "id<ref,ref:Subject@date"; what it has no need of is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "imapd/intern.h"
#include "imapd/thread.h"

struct row {
	const char *label, *mailbox, *want;
};

static struct span field(const char *z, size_t n, char from)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		if (z[i] != from)
			continue;
		for (k = i + 1; k < n && z[k] != ':' && z[k] != '@' && z[k] != '<'; k++)
			;
		return (struct span){ z + i + 1, k - i - 1 };
	}
	return SPAN_NULL;
}

static size_t parse(const char *z, struct arena *a, struct thread_msg *msgs, struct span *ids, struct span *refs)
{
	size_t n = 0, i;

	while (*z) {
		size_t len = strcspn(z, " "), id = strcspn(z, " <:@");
		struct span date = field(z, len, '@'), subject = field(z, len, ':');
		char *r = arena_strndup(a, field(z, len, '<').p, field(z, len, '<').n);

		ids[n] = (struct span){ z, z[0] == '-' ? 0 : id };
		refs[n] = (struct span){ r, field(z, len, '<').n };
		for (i = 0; i < refs[n].n; i++)
			r[i] = r[i] == ',' ? '\0' : r[i];
		msgs[n] = (struct thread_msg){ .number = (uint32_t)n + 1, .sent_s = (int64_t)n };
		if (date.n)
			msgs[n].sent_s = strtol(date.p, NULL, 10);
		msgs[n].is_reply = subject.n > 3 && memcmp(subject.p, "RE-", 3) == 0;
		msgs[n].base_subject = msgs[n].is_reply ? span_from(subject, 3) : subject;
		n++;
		z += len;
		z += strspn(z, " ");
	}
	return n;
}

static void check(const struct row *r, bool is_references)
{
	struct arena a = { 0 };
	struct str out = STR_INIT(100000);
	struct thread_msg msgs[100] = { 0 };
	struct span ids[100], refs[100];
	size_t n = parse(r->mailbox, &a, msgs, ids, refs), i;

	if (is_references) {
		struct thread_references *t = thread_references_begin(&a, msgs, n);

		for (i = 0; i < n; i++)
			thread_references_add(t, ids[i], refs[i]);
		assert_int_equal(thread_references_end(t, &out), 0);
	} else
		assert_int_equal(thread_subject_ordered(&out, &a, msgs, n), 0);
	if (strcmp(out.p, r->want) != 0)
		fail_msg("%s: %s, not %s", r->label, out.p, r->want);
	str_fini(&out);
	arena_fini(&a);
}

static void test_references(void **state)
{
	static const struct row rows[] = {
		{ "nothing", "", "" },
		{ "alone", "a", "(1)" },
		{ "chain", "a b<a c<a,b", "(1 2 3)" },
		{ "the example of RFC 5256: two of three replies stand alone",
		  "a b<a c<a d<b", "(1 (2 4)(3))" },
		{ "branches", "a@1 b<a@2 c<a,b@3 d<a,b@4 e<a,b,d@5", "(1 2 (3)(4 5))" },
		{ "out of order", "c<a,b b<a a", "(3 2 1)" },
		{ "parent missing, one child: no dummy", "b<a", "(1)" },
		{ "parent missing, two children: a dummy", "b<a c<a", "((1)(2))" },
		{ "missing in the middle", "a c<a,b", "(1 2)" },
		{ "missing in the middle, two", "a c<a,b d<a,b", "(1 (2)(3))" },
		{ "missing twice above", "c<x,y d<x,z", "((1)(2))" },
		{ "one missing above, chain below", "c<x d<x,c", "(1 2)" },
		{ "same id twice", "a a b<a", "(1 3)(2)" },
		{ "no ids", "- - -", "(1)(2)(3)" },
		{ "itself", "a<a", "(1)" },
		{ "two in a circle", "a<b b<a", "(2 1)" },
		{ "three in a circle", "a<c b<a c<b", "(3 1 2)" },
		{ "circle in one list", "a<x,y,x b<y", "((1)(2))" },
		{ "last reference counts, those before it are guesses", "a b c<b,a", "(2 1 3)" },
		{ "what others guess loses against what it says", "c<x,b b<a a x", "(3 2 1)(4)" },
		{ "guess of an earlier one is cut when it has no references", "c<x,b b x", "(2 1)(3)" },
		{ "guess of a later one holds", "b x c<x,b", "(2 1 3)" },
		{ "sorted by date", "a@9 b<a@3 c<a@1 d@2", "(4)(1 (3)(2))" },
		{ "a dummy has its first child's date", "b<x@5 c<x@1 d@3", "((2)(1))(3)" },
		{ "same date: by number", "a@1 b@1 c<a@2 d<a@2", "(1 (3)(4))(2)" },
		/* step 5 */
		{ "reply by subject", "a:S b:RE-S", "(1 2)" },
		{ "reply comes first", "b:RE-S@1 a:S@2", "(2 1)" },
		{ "two that are no replies", "a:S b:S", "((1)(2))" },
		{ "two replies", "a:RE-S b:RE-S", "((1)(2))" },
		{ "three replies", "a:RE-S b:RE-S c:RE-S", "((1)(2)(3))" },
		{ "no subject: apart", "a: b:", "(1)(2)" },
		{ "others", "a:S b:T c:RE-S d:RE-T", "(1 3)(2 4)" },
		{ "dummy takes one", "a<x:S b<x:S c:S", "((1)(2)(3))" },
		{ "dummy takes a reply", "a<x:RE-S b<x:RE-S c:RE-S", "((1)(2)(3))" },
		{ "two dummies", "a<x:S b<x:S c<y:S d<y:S", "((1)(2)(3)(4))" },
		{ "threads go with their top", "a:S@1 b<a@2 c:RE-S@3 d<c@4", "(1 (2)(3 4))" },
		{ "replies, then the first", "a:RE-S@1 b:RE-S@2 c:S@3", "(3 (1)(2))" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], true);
}

static void test_ordered(void **state)
{
	static const struct row rows[] = {
		{ "nothing", "", "" },
		{ "RFC 5256", "-:A@1 -:B@2 -:RE-A@3 -:RE-A@4 -:RE-B@5", "(1 (3)(4))(2 5)" },
		{ "by the first's date", "-:A@9 -:B@2 -:A@1", "(3 1)(2)" },
		{ "one each", "-:C@1 -:B@2 -:A@3", "(1)(2)(3)" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], false);
}

/* Messages that want to make it slow or deep: a chain, a chain from behind, deep branches, one parent for all. */
static void test_hostile(void **state)
{
	enum { N = 50000 };
	static struct thread_msg msgs[N];
	size_t kind, i;

	for (kind = 0; kind < 5; kind++) {
		struct arena a = { 0 };
		struct str out = STR_INIT(10000000);
		struct thread_references *t = thread_references_begin(&a, msgs, N);
		uint64_t start = clock_mono_ms();

		for (i = 0; i < N; i++) {
			size_t me = kind == 1 ? N - i : i + 1, up = kind == 2 ? me / 2 : kind == 3 ? 1 : kind == 4 ? (me * 7919) % N : me - 1;
			char *id = arena_printf(&a, "%zu@x", me), *ref = arena_printf(&a, "%zu@x", up);

			msgs[i] = (struct thread_msg){ .number = (uint32_t)i + 1, .sent_s = (int64_t)(i * 31 % 977),
						       .base_subject = SPAN_LIT("S") };
			thread_references_add(t, span_z(id), span_z(ref));
		}
		assert_int_equal(thread_references_end(t, &out), 0);
		assert_true(out.n > N);
		if (clock_mono_ms() - start > 3000)
			fail_msg("kind %zu took %llu ms", kind, (unsigned long long)(clock_mono_ms() - start));
		str_fini(&out);
		arena_fini(&a);
	}
}

/* More than it was told to expect: the table grows, the numbers stay. */
static void test_intern(void **state)
{
	struct intern t;
	char text[16];

	intern_init(&t, 0);
	for (int turn = 0; turn < 2; turn++) {
		for (uint32_t i = 0; i < 1000; i++) {
			int n = snprintf(text, sizeof(text), "<%u@x>", i);

			assert_int_equal(intern(&t, (struct span){ text, (size_t)n }), i);
		}
	}
	assert_int_equal(t.n, 1000);
	intern_fini(&t);
	intern_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references), cmocka_unit_test(test_ordered), cmocka_unit_test(test_hostile), cmocka_unit_test(test_intern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
