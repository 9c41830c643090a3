/* fuzz_mastercf: any bytes as master.cf over an empty main.cf */
#include <stddef.h>
#include <stdint.h>

#include "conf/mastercf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { (const char *)data, n };
	struct conf_errors errors = { 0 };
	struct mastercf m;
	struct conf base, layer;
	struct err err;
	size_t i;

	if (span_has_nul(text))
		return 0;
	BUG(conf_parse(&base, NULL, SPAN_NULL, &errors) < 0);
	if (mastercf_parse(&m, "master.cf", text, &base, &errors) < 0)
		BUG(errors.n == errors.n_warnings);
	else
		for (i = 0; i < m.n; i++) {
			BUG(m.v[i].type == MASTERCF_INET && !m.v[i].port);
			BUG(mastercf_overlay(&layer, &base, &m, &m.v[i], &err) < 0);
			conf_fini(&layer);
		}
	mastercf_fini(&m);
	conf_fini(&base);
	conf_errors_fini(&errors);
	return 0;
}
