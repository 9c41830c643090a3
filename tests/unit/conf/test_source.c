#include "cm.h"

#include <errno.h>

#include "conf/source.h"
#include "tmpdir.h"

static const struct {
	const char *label, *text, *lines;
} rows[] = {
	{ "nothing", "", "" },
	{ "one line", "a = b\n", "1:a = b|" },
	{ "no newline at the end", "a", "1:a|" },
	{ "comments and empty lines", "# x\n\n  # y\na\n", "4:a|" },
	{ "continuation", "a\n b\n\tc\nd\n", "1:a b c|4:d|" },
	{ "comment inside of a continuation", "a\n# no\n\n b\n", "1:a b|" },
	{ "comment after a line", "a\n#b\nc\n", "1:a|3:c|" },
	{ "CRLF", "a\r\n b\r\nc\r\n", "1:a b|3:c|" },
	{ "blank first line goes on with nothing", " a\nb\n", "1:a|2:b|" },
	{ "trailing blanks", "a  \t\n", "1:a|" },
	{ "hash inside of a line stays", "a#b\n c # d\n", "1:a#b c # d|" },
};

static void test_lines(void **state)
{
	struct str got = STR_INIT(1000);
	struct source s;
	struct span line;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].label);
		str_reset(&got);
		source_init(&s, "x", span_z(rows[i].text));
		while (source_line(&s, &line))
			assert_int_equal(str_addf(&got, "%u:%.*s|", s.line, SPAN_ARG(line)), 0);
		source_fini(&s);
		assert_string_equal(got.p, rows[i].lines);
	}
	str_fini(&got);
}

static void test_files(void **state)
{
	struct tmpdir t;
	struct source s;
	struct span line;
	struct err err;

	tmpdir_make(&t);
	assert_int_equal(source_open(&s, tmpdir_write(&t, "a", "one\ntwo\n"), 100, &err), 0);
	assert_true(source_line(&s, &line) && span_eqz(line, "one"));
	source_fini(&s);
	assert_int_equal(source_open(&s, t.file, 8, &err), 0);
	source_fini(&s);
	assert_int_equal(source_open(&s, t.file, 7, &err), -1);
	assert_int_equal(err.kind, ERR_CONF);
	source_fini(&s);
	assert_int_equal(source_open(&s, tmpdir_path(&t, "missing"), 100, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	source_fini(&s);
	assert_int_equal(source_open(&s, "/dev/zero", 100, &err), -1);
	source_fini(&s);
	assert_int_equal(source_open(&s, t.path, 100, &err), -1);
	assert_int_equal(err.sys, EISDIR);
	source_fini(&s);
	tmpdir_remove(&t);
}

static void test_nul(void **state)
{
	struct tmpdir t;
	struct source s;
	struct err err;
	int fd;

	tmpdir_make(&t);
	fd = open(tmpdir_path(&t, "n"), O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "a\0b\n", 4), 4);
	close(fd);
	assert_int_equal(source_open(&s, t.file, 100, &err), -1);
	assert_non_null(strstr(err.msg, "NUL"));
	source_fini(&s);
	tmpdir_remove(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_lines),
	cmocka_unit_test(test_files),
	cmocka_unit_test(test_nul),
};

MAIN(tests)
