#include "proto/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str out = STR_INIT(100);
	int64_t t, back;
	int offset, offset_back;

	if (date_parse((struct span){ (const char *)data, n }, &t, &offset) == 0) {
		BUG(date_format(&out, t, offset) < 0);
		BUG(date_parse(str_span(&out), &back, &offset_back) < 0 || back != t || offset_back != offset);
	}
	str_fini(&out);
	return 0;
}
