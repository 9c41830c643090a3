#include "base/utf8.h"
#include "proto/charset.h"
#include "proto/header_decode.h"
#include "proto/sort_key.h"
#include "proto/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void decode(enum transfer_kind kind, struct span in, size_t chunk, struct str *out)
{
	struct transfer t;
	size_t i;

	str_reset(out);
	transfer_init(&t, kind);
	for (i = 0; i < in.n; i += chunk)
		BUG(transfer_feed(&t, span_sub(in, i, chunk), out) < 0);
	BUG(transfer_end(&t, out) < 0);
}

static void convert(const char *name, struct span in, size_t chunk, struct str *out)
{
	struct charset c;
	size_t i;

	str_reset(out);
	BUG(charset_open(&c, span_z(name)) < 0);
	for (i = 0; i < in.n; i += chunk)
		BUG(charset_convert(&c, span_sub(in, i, chunk), false, out) < 0);
	BUG(charset_convert(&c, SPAN_NULL, true, out) < 0);
	charset_close(&c);
	BUG(!utf8_valid(str_span(out)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const charsets[] = { "utf-8", "iso-8859-1" };
	struct span in = { (const char *)data, n };
	struct str whole = STR_INIT(100000000), part = STR_INIT(100000000);
	enum transfer_kind kind;
	bool is_reply;
	size_t i;

	BUG(header_decode(&whole, in) < 0 || !utf8_valid(str_span(&whole)));
	BUG(sort_key_fold(&part, str_span(&whole)) < 0 || !utf8_valid(str_span(&part)));
	BUG(sort_key_subject(&part, in, &is_reply) < 0);
	BUG(sort_key_first(&part, &part, in) < 0);
	for (kind = TRANSFER_IDENTITY; kind <= TRANSFER_UNKNOWN; kind++) {
		decode(kind, in, n + 1, &whole);
		decode(kind, in, 1, &part);
		BUG(!span_eq(str_span(&whole), str_span(&part)));
	}
	for (i = 0; i < ARRAY_LEN(charsets); i++) {
		convert(charsets[i], in, n + 1, &whole);
		convert(charsets[i], in, 1, &part);
		BUG(!span_eq(str_span(&whole), str_span(&part)));
	}
	str_fini(&whole);
	str_fini(&part);
	return 0;
}
