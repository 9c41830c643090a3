/* dovecot-keywords: any text; what is written out of it reads back the same. */
#include <stdint.h>
#include <stdlib.h>

#include "store/keywords.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct keywords k = { 0 }, again = { 0 };
	struct str out = STR_INIT(100000), twice = STR_INIT(100000);

	keywords_parse(&k, (struct span){ (const char *)data, n });
	if (keywords_format(&k, &out) < 0)
		abort();
	keywords_parse(&again, str_span(&out));
	if (keywords_format(&again, &twice) < 0 || !span_eq(str_span(&out), str_span(&twice)))
		abort();
	str_fini(&out);
	str_fini(&twice);
	keywords_fini(&k);
	keywords_fini(&again);
	return 0;
}
