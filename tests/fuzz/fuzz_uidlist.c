/* Any text: what is read must be written so that reading it again gives the same. */
#include <stdint.h>

#include "base/attr.h"
#include "store/uidlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void clear(struct uidlist *u)
{
	uidlist_close(u);
	*u = (struct uidlist){ 0 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct uidlist u = { 0 }, again = { 0 };
	struct str text = STR_INIT(1 << 24), twice = STR_INIT(1 << 24);
	size_t i;

	if (uidlist_parse(&u, (struct span){ (const char *)data, n })) {
		for (i = 1; i < u.n; i++)
			BUG(u.v[i].uid <= u.v[i - 1].uid);
		BUG(u.n && u.next_uid <= u.v[u.n - 1].uid);
		BUG(uidlist_format(&u, &text) < 0);
		BUG(!uidlist_parse(&again, str_span(&text)));
		BUG(again.must_rewrite || again.n != u.n || again.next_uid != u.next_uid ||
		    again.validity != u.validity);
		BUG(uidlist_format(&again, &twice) < 0);
		BUG(!span_eq(str_span(&text), str_span(&twice)));
	}
	clear(&u);
	clear(&again);
	str_fini(&text);
	str_fini(&twice);
	return 0;
}
