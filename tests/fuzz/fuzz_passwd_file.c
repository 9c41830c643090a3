/* Lines of a passwd-file. */
#include <stdint.h>

#include "auth/passwd_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span rest = { (const char *)data, n }, line;
	struct arena arena = { 0 };
	struct passwd_entry e;
	struct err err = ERR_INIT;

	while (rest.n > 0) {
		span_cut(rest, '\n', &line, &rest);
		if (passwd_file_line(&e, line, &arena, &err)) {
			BUG(!e.account.name || !e.account.name[0] || strchr(e.account.name, '/'));
			BUG(e.account.home && e.account.home[0] != '/');
		}
	}
	arena_fini(&arena);
	return 0;
}
