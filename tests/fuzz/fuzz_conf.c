/* fuzz_conf: any bytes as main.cf; a snapshot of what was read reads back as the same */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "conf/param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_value(const struct conf *c, const struct conf *copy, struct span name)
{
	struct arena a = { 0 };
	const char *z = arena_strndup(&a, name.p, name.n), *value = conf_raw(c, z), *again = conf_raw(copy, z);

	BUG(!value || !again || strcmp(value, again) != 0);
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { (const char *)data, n }, name;
	struct conf_errors errors = { 0 };
	struct str dump = STR_INIT(16 << 20);
	struct conf c, copy;
	size_t pos = 0;
	void *value;

	if (span_has_nul(text))
		return 0;
	if (conf_parse(&c, "main.cf", text, &errors) < 0)
		BUG(errors.n == errors.n_warnings);
	if (conf_check(&c, &errors) < 0)
		BUG(errors.n == errors.n_warnings);
	if (conf_dump(&c, &dump) == 0) {
		conf_errors_fini(&errors);
		BUG(conf_parse(&copy, NULL, str_span(&dump), &errors) < 0);
		BUG(copy.values.n != c.values.n);
		while (htab_next(&c.values, &pos, &name, &value))
			check_value(&c, &copy, name);
		conf_fini(&copy);
	}
	str_fini(&dump);
	conf_errors_fini(&errors);
	conf_fini(&c);
	return 0;
}
