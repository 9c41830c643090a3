/* Any bytes are a message: its record does not depend on chunks, survives its blobs, and its parts lie in the file. */
#include "store/mail_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void make(struct arena *a, struct span in, size_t chunk, struct mail_record *r, struct str *keys,
		 struct str *body)
{
	struct mail_record_maker *m = mail_record_begin(a);
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < in.n; i += chunk)
		BUG(mail_record_feed(m, span_sub(in, i, chunk), &err) < 0);
	BUG(mail_record_end(m, r, &err) < 0);
	BUG(mail_keys_encode(keys, &r->keys) < 0 || mail_body_encode(body, &r->body) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { (const char *)data, n };
	struct str keys[2] = { STR_INIT(1 << 26), STR_INIT(1 << 26) },
		body[2] = { STR_INIT(1 << 26), STR_INIT(1 << 26) };
	struct arena a = { 0 };
	struct mail_record r, other;
	struct mail_part p, again;
	size_t pos = 0;

	make(&a, in, n + 1, &r, &keys[0], &body[0]);
	make(&a, in, 3, &other, &keys[1], &body[1]);
	BUG(!span_eq(str_span(&keys[0]), str_span(&keys[1])) || !span_eq(str_span(&body[0]), str_span(&body[1])));
	BUG(r.size != n || r.vsize < n || r.vsize != other.vsize || r.sent_s != other.sent_s);
	BUG(mail_keys_decode(&other.keys, str_span(&keys[0])) < 0 ||
	    mail_body_decode(&other.body, str_span(&body[0])) < 0);
	str_reset(&keys[1]);
	str_reset(&body[1]);
	BUG(mail_keys_encode(&keys[1], &other.keys) < 0 || mail_body_encode(&body[1], &other.body) < 0);
	BUG(!span_eq(str_span(&keys[0]), str_span(&keys[1])) || !span_eq(str_span(&body[0]), str_span(&body[1])));
	BUG(r.keys.subject.n > 1024 || r.keys.from.n > 1024 || r.keys.base_subject.n > 1024);
	while (mail_record_next(other.body.parts, &pos, &p)) {
		BUG(p.header_offset + p.header.octets > n || p.body_offset + p.body.octets > n);
		BUG(p.kind == MIME_MESSAGE && p.inner.octets > p.body.octets);
	}
	BUG(pos != other.body.parts.n);
	BUG(mail_record_part(other.body.parts, SPAN_LIT(""), &again) != 1 || again.header_offset != 0);
	for (pos = 0; pos < 2; pos++) {
		str_fini(&keys[pos]);
		str_fini(&body[pos]);
	}
	arena_fini(&a);
	return 0;
}
