#include "proto/header.h"
#include "proto/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Whatever a client says, the result is one well-formed field. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { (const char *)data, n }, name, value;
	struct received r = { .by = SPAN_LIT("mx"), .mail_name = SPAN_LIT("Surat"), .id = SPAN_LIT("4b"), .time_s = 1 };
	struct str out = STR_INIT(10000);

	r.esmtp = n & 1;
	span_cut(in, '\n', &r.helo, &r.rcpt);
	span_cut(r.rcpt, '\n', &r.client_name, &r.sasl_user);
	r.client_addr = r.helo;
	if (received_format(&out, &r, "\n") == 0) {
		in = str_span(&out);
		BUG(!header_next(&in, &name, &value) || in.n != 0);
	}
	str_fini(&out);
	return 0;
}
