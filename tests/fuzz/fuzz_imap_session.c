/* A session over a small Maildir: any bytes of a client; numbers in the answers must fit what was told before. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/session/imapd/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct fixture *start(void)
{
	static struct fixture *f;

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	fixture_init(f);
	f->conf.imap_max_line_length = 8192;
	f->conf.imap_append_limit = 20000;
	f->conf.mailbox_defaults = "";
	return f;
}

static void fill(struct fixture *f)
{
	static const char *const flags[] = { "", "S", "FT", "Sa" };
	size_t i;

	fixture_empty(f);
	for (i = 0; i < ARRAY_LEN(flags); i++)
		fixture_letter(f, "", flags[i], i & 1 ? "=?utf-8?q?b=C3=A4r?=" : "Re: one");
	fixture_letter(f, "", NULL, "new");
	fixture_letter(f, ".a", "S", "two");
}

/* One response, its literals left out, from the front of *out. */
static bool next_response(struct span *out, struct str *line)
{
	str_reset(line);
	while (out->n) {
		ptrdiff_t lf = span_chr(*out, '\n');
		struct span part = lf < 0 ? *out : span_sub(*out, 0, (size_t)lf);
		struct imap_frame_literal lit;
		size_t before;

		*out = span_from(*out, part.n + 1);
		if (part.n && part.p[part.n - 1] == '\r')
			part.n--;
		if (!imap_frame_announces(part, &lit, &before)) {
			BUG(str_add_span(line, part) < 0);
			return true;
		}
		BUG(str_add(line, part.p, before) < 0);
		BUG(lit.n > out->n);
		*out = span_from(*out, (size_t)lit.n);
	}
	return line->n > 0;
}

/* Sequence numbers stay within EXISTS less EXPUNGE. With VANISHED the client would have to know UIDs: no check then. */
static void check(struct span out)
{
	struct str line = STR_INIT(SIZE_MAX / 2);
	uint64_t exists = 0, number;

	while (next_response(&out, &line)) {
		struct span rest = str_span(&line), head, word;

		if (!span_starts(rest, "* "))
			continue;
		rest = span_from(rest, 2);
		if (span_starts(rest, "VANISHED "))
			break;
		span_cut(rest, ' ', &head, &rest);
		if (span_u64(head, UINT32_MAX, &number) < 0)
			continue;
		span_cut(rest, ' ', &word, &rest);
		if (span_eqz(word, "EXISTS"))
			exists = number;
		BUG((span_eqz(word, "EXPUNGE") || span_eqz(word, "FETCH")) && (number == 0 || number > exists));
		exists -= span_eqz(word, "EXPUNGE");
	}
	str_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t chunks[] = { 0, 1, 2, 7, 64, 500, 4000, 0 };
	struct str output = STR_INIT(64u << 20);
	struct fixture *f = start();

	if (n == 0)
		return 0;
	fill(f);
	f->start.index = data[0] & 8 ? "MEMORY" : "";
	f->quota = data[0] & 16 ? 3000 : 0;
	fixture_replay(f, (struct span){ (const char *)data + 1, n - 1 }, chunks[data[0] % 8], &output);
	check(str_span(&output));
	str_fini(&output);
	return 0;
}
