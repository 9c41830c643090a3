/* Blobs and the inbox file as somebody else may have left them. */
#include "store/mail_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_in(struct span all, struct span s)
{
	return s.n == 0 || (s.p >= all.p && s.p + s.n <= all.p + all.n);
}

static void walk(struct span parts, struct span all)
{
	struct mail_part p;
	size_t pos = 0;

	while (mail_record_next(parts, &pos, &p)) {
		BUG(pos > parts.n || !is_in(all, p.section) || !is_in(all, p.charset) || !is_in(all, p.encoding));
		BUG(p.kind > MIME_MESSAGE);
	}
	(void)!mail_record_part(parts, SPAN_LIT("1.1"), &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { (const char *)data, n }, name, keys, body;
	struct mail_record r;
	struct mail_keys k;
	struct mail_body b;

	if (mail_keys_decode(&k, in) == 0)
		BUG(!is_in(in, k.subject) || !is_in(in, k.base_subject) || !is_in(in, k.references) ||
		    !is_in(in, k.bcc));
	if (mail_body_decode(&b, in) == 0) {
		BUG(!is_in(in, b.envelope) || !is_in(in, b.structure) || !is_in(in, b.parts));
		walk(b.parts, in);
	}
	walk(in, in);
	for (struct span rest = in; mail_inbox_next(&rest, &name, &r, &keys, &body); ) {
		BUG(!is_in(in, name) || !is_in(in, keys) || !is_in(in, body) || !is_in(in, r.keys.to));
		walk(r.body.parts, in);
	}
	return 0;
}
