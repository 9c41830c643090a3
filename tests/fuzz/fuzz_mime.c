#include "proto/imap_envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void answer(struct span in, size_t chunk, struct str *out)
{
	static const struct mime_limits lim = { .depth_max = 10, .parts_max = 100, .params_max = 20, .boundary_max = 70,
		.field_max = 5000, .stored_max = 20000 };
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct mime m;
	size_t i;

	mime_init(&m, &a, &lim);
	for (i = 0; i < in.n; i += chunk)
		BUG(mime_feed(&m, span_sub(in, i, chunk), &err) < 0);
	BUG(mime_end(&m, &err) < 0);
	BUG(m.root->header.octets + m.root->body.octets != in.n);
	BUG(imap_envelope(out, m.root->envelope) < 0 || imap_envelope_body(out, m.root, true) < 0);
	BUG(imap_envelope_body(out, m.root, false) < 0);
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t chunks[] = { 1, 2, 7 };
	struct span in = { (const char *)data, n };
	struct str whole = STR_INIT(100000000), part = STR_INIT(100000000);
	size_t i;

	answer(in, n + 1, &whole);
	for (i = 0; i < ARRAY_LEN(chunks); i++) {
		str_reset(&part);
		answer(in, chunks[i], &part);
		BUG(!span_eq(str_span(&whole), str_span(&part)));
	}
	str_fini(&whole);
	str_fini(&part);
	return 0;
}
