/* fuzz_aliases: any bytes as a .forward file; what comes out holds no line end and no NUL */
#include <stddef.h>
#include <stdint.h>

#include "proto/aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int check(void *arg, enum aliases_kind kind, struct span text, struct err *err)
{
	BUG(text.n == 0 || span_has_nul(text));
	BUG(span_chr(text, '\n') >= 0 || span_chr(text, '\r') >= 0);
	BUG(kind == ALIASES_FILE && text.p[0] != '/' && text.p[0] != '~');
	BUG(kind == ALIASES_INCLUDE && text.p[0] != '/');
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { (const char *)data, n };
	struct arena a = { 0 };
	struct err err = ERR_INIT;

	if (aliases_parse_file(text, &a, check, NULL, &err) < 0)
		BUG(err.kind != ERR_CONF || err.msg[0] == '\0');
	if (aliases_parse(text, &a, check, NULL, &err) < 0)
		BUG(err.msg[0] == '\0');
	arena_fini(&a);
	return 0;
}
