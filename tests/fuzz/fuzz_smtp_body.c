#include "base/str.h"
#include "proto/smtp_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Bytes of the message; where data ended, or SIZE_MAX. */
static size_t decode(struct str *out, enum smtp_body_mode mode, struct span in, size_t chunk)
{
	struct smtp_body b;
	struct span got;
	size_t at = 0;

	smtp_body_init(&b, mode, "\r\n", 0);
	while (at < in.n) {
		struct span piece = span_sub(in, at, chunk);
		size_t n = piece.n;
		enum smtp_body_rc rc;

		while ((rc = smtp_body_next(&b, &piece, &got)) == SMTP_BODY_OUT)
			BUG(str_add_span(out, got) < 0);
		at += n - piece.n;
		if (rc == SMTP_BODY_END)
			return at;
	}
	return SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str whole = STR_INIT(10000000), split = STR_INIT(10000000);
	struct span in = { (const char *)data, n };
	enum smtp_body_mode mode;
	size_t i, end;

	for (mode = SMTP_BODY_DATA; mode <= SMTP_BODY_BDAT; mode++) {
		str_reset(&whole);
		str_reset(&split);
		end = decode(&whole, mode, in, n ? n : 1);
		BUG(end != decode(&split, mode, in, 1 + (n ? data[0] % 7 : 0)));
		BUG(!span_eq(str_span(&whole), str_span(&split)));
		if (end != SIZE_MAX && end > 3)
			BUG(memcmp(in.p + end - 5, "\r\n.\r\n", 5) != 0);
		for (i = 0; i < whole.n; i++) {
			BUG(whole.p[i] == '\r' && whole.p[i + 1] != '\n');
			BUG(whole.p[i] == '\n' && (i == 0 || whole.p[i - 1] != '\r'));
		}
	}
	str_fini(&whole);
	str_fini(&split);
	return 0;
}
