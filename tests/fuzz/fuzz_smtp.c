#include "proto/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { (const char *)data, n }, verb, args, dsn, text;
	struct str out = STR_INIT(1000000);
	struct arena a = { 0 };
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	struct err err;
	uint64_t size;
	bool last;
	int code;

	smtp_split(in, &verb, &args);
	(void)!smtp_parse_mail(&a, args, 31, 0, &mail, &err);
	(void)!smtp_parse_rcpt(&a, args, 31, ADDRESS_BARE_OK, &rcpt, &err);
	(void)!smtp_parse_bdat(args, &size, &last, &err);
	(void)!smtp_xtext_decode(&out, args);
	str_reset(&out);
	if (smtp_reply(&out, 250, "2.0.0", in) == 0)
		BUG(!smtp_reply_split(span_sub(str_span(&out), 0, out.n - 2), &code, &dsn, &text) || code != 250);
	str_fini(&out);
	arena_fini(&a);
	return 0;
}
