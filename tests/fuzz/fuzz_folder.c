/* Names of folders, the text of subscriptions, marks and mailbox_defaults: nothing that is taken may leave the
 * Maildir, and what is written is read back the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/folder_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_name(struct arena *a, struct span name)
{
	const char *dir = folder_dir(a, name);

	BUG(*dir && (dir[0] != '.' || dir[1] == '.' || dir[1] == '\0' || strchr(dir, '/') ||
		     strlen(dir) > FOLDER_NAME_MAX));
}

static void check_subs(struct arena *a, struct span text)
{
	struct span add = SPAN_LIT("new.name");
	struct str out = STR_INIT(1 << 20);
	struct folder_subs subs, again;
	size_t k = 0;

	folder_subs_parse(a, text, &subs);
	for (size_t i = 0; i < subs.n; i++)
		if (subs.v[i].name.n)
			check_name(a, subs.v[i].name);
	if (folder_subs_format(&subs, &add, 1, NULL, 0, &out) == 0) {
		folder_subs_parse(a, str_span(&out), &again);
		BUG(again.n != subs.n + 1 || !span_eq(again.v[subs.n].name, add));
		for (; k < subs.n; k++)
			BUG(!span_eq(again.v[k].line, subs.v[k].line) || !span_eq(again.v[k].name, subs.v[k].name));
	}
	str_fini(&out);
}

static void check_marks(struct arena *a, struct span text)
{
	struct str out = STR_INIT(1 << 20);
	struct folder_marks m, again;

	folder_marks_parse(a, text, &m);
	if (folder_marks_format(&m, &out) == 0) {
		folder_marks_parse(a, str_span(&out), &again);
		for (size_t i = 0; i < m.n; i++) {
			struct folder_mark *k = folder_marks_get(a, &again, m.v[i].name, false);

			BUG((m.v[i].uses || m.v[i].is_made) &&
			    (!k || k->uses != m.v[i].uses || k->is_made != m.v[i].is_made));
		}
	}
	str_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { (const char *)data, n };
	struct err err = ERR_INIT;
	struct arena a = { 0 };

	if (folder_name_check(in, &err) == 0)
		check_name(&a, in);
	check_subs(&a, in);
	check_marks(&a, in);
	(void)!folder_defaults_check(arena_strndup(&a, in.p, in.n), &err);
	arena_fini(&a);
	return 0;
}
