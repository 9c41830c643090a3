/* Records of the user store, account names and mail locations: the first line is a name, the rest record and
 * template. */
#include <stdint.h>

#include "store/account.h"
#include "store/mail_location.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { (const char *)data, n }, first, rest;
	struct str name = STR_INIT(300), again = STR_INIT(300), out = STR_INIT(70000);
	struct arena arena = { 0 };
	struct mail_location loc;
	struct account a;
	struct err err = ERR_INIT;

	span_cut(all, '\n', &first, &rest);
	if (account_name_fold(&name, first, &err) == 0) {
		BUG(memchr(name.p, '/', name.n) || strstr(name.p, "..") || name.n > ACCOUNT_NAME_MAX);
		BUG(account_name_fold(&again, str_span(&name), &err) < 0 ||
		    !span_eq(str_span(&name), str_span(&again)));
		a = (struct account){ .name = name.p, .home = "/home/x" };
		if (mail_location_expand(&loc, &a, arena_strndup(&arena, rest.p, rest.n), &arena, &err) == 0)
			BUG(loc.path[0] != '/' || strstr(loc.path, "/../"));
	}
	if (account_decode(&a, SPAN_LIT("x"), rest, &arena, &err) == 0) {
		/* what was read can be written, or breaks a rule of names and paths */
		if (account_encode(&out, &a, &err) < 0)
			BUG(err.kind != ERR_PERM);
	}
	str_fini(&name);
	str_fini(&again);
	str_fini(&out);
	arena_fini(&arena);
	return 0;
}
