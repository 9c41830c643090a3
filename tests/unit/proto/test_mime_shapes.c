/* Every message of tests/mime/shapes against what Dovecot says of it (.want), or what we say instead (.surat). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <libgen.h>

#include "proto/imap_envelope.h"

#define SHAPES_MIN 150

static bool read_file(const char *path, struct str *out)
{
	FILE *f = fopen(path, "rb");
	char *room;
	size_t n;

	str_reset(out);
	if (!f)
		return false;
	do {
		room = str_room(out, 65536);
		assert_non_null(room);
		n = fread(room, 1, 65536, f);
		str_grew(out, n);
	} while (n);
	fclose(f);
	return true;
}

static void answer(struct span message, size_t chunk, struct str *out)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct mime m;
	size_t i;

	mime_init(&m, &a, NULL);
	for (i = 0; i < message.n; i += chunk)
		assert_int_equal(mime_feed(&m, span_sub(message, i, chunk), &err), 0);
	assert_int_equal(mime_end(&m, &err), 0);
	str_reset(out);
	assert_int_equal(str_addz(out, "ENVELOPE "), 0);
	assert_int_equal(imap_envelope(out, m.root->envelope), 0);
	assert_int_equal(str_addz(out, "\nBODY "), 0);
	assert_int_equal(imap_envelope_body(out, m.root, false), 0);
	assert_int_equal(str_addz(out, "\nBODYSTRUCTURE "), 0);
	assert_int_equal(imap_envelope_body(out, m.root, true), 0);
	assert_int_equal(str_addc(out, '\n'), 0);
	arena_fini(&a);
}

static void test_shapes(void **state)
{
	static const size_t chunks[] = { SIZE_MAX / 2, 1, 2, 7, 64 };
	struct str eml = STR_INIT(1u << 24), want = STR_INIT(1u << 24), got = STR_INIT(1u << 24), path = STR_INIT(5000);
	unsigned failed = 0;
	size_t i, k;
	glob_t found;

	assert_int_equal(glob(SHAPES_DIR "/*.eml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= SHAPES_MIN);
	for (i = 0; i < found.gl_pathc; i++) {
		struct span stem = span_z(found.gl_pathv[i]);

		stem.n -= 4;
		assert_true(read_file(found.gl_pathv[i], &eml));
		str_reset(&path);
		assert_int_equal(str_addf(&path, "%.*s.surat", SPAN_ARG(stem)), 0);
		if (!read_file(path.p, &want)) {
			str_reset(&path);
			assert_int_equal(str_addf(&path, "%.*s.want", SPAN_ARG(stem)), 0);
			assert_true(read_file(path.p, &want));
		}
		for (k = 0; k < ARRAY_LEN(chunks); k++) {
			answer(str_span(&eml), chunks[k], &got);
			if (span_eq(str_span(&got), str_span(&want)))
				continue;
			print_error("%s, chunks of %zu\n got: %s\nwant: %s\n", basename(found.gl_pathv[i]), chunks[k],
				    got.p,
				want.p);
			failed++;
			break;
		}
	}
	globfree(&found);
	str_fini(&eml);
	str_fini(&want);
	str_fini(&got);
	str_fini(&path);
	if (failed)
		fail_msg("%u shapes differ", failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes) };

	return cmocka_run_group_tests_name("mime_shapes", tests, NULL, NULL);
}
