#include "store/folder.h"

#include "proto/imap_utf7.h"

#define INBOX "INBOX"

static const struct {
	enum folder_use use;
	const char *name;
} uses[] = {
	{ FOLDER_DRAFTS, "\\Drafts" },
	{ FOLDER_SENT, "\\Sent" },
	{ FOLDER_JUNK, "\\Junk" },
	{ FOLDER_TRASH, "\\Trash" },
	{ FOLDER_ARCHIVE, "\\Archive" },
	{ FOLDER_FLAGGED, "\\Flagged" },
	{ FOLDER_ALL, "\\All" },
};

bool folder_is_inbox(struct span name)
{
	return span_eq_nocase(name, INBOX);
}

int folder_name_check(struct span name, struct err *err)
{
	struct span rest = name, level;
	unsigned depth = 0;

	if (name.n == 0)
		return err_set(err, ERR_PERM, "[CANNOT] The folder name is empty");
	if (name.n + 1 > FOLDER_NAME_MAX)
		return err_set(err, ERR_PERM, "[CANNOT] The folder name is too long");
	if (span_chr(name, '/') >= 0)
		return err_set(err, ERR_PERM, "[CANNOT] A folder name must not hold \"/\"");
	for (bool more = true; more; depth++) {
		more = span_cut(rest, FOLDER_SEP, &level, &rest);
		if (level.n == 0)
			return err_set(err, ERR_PERM, "[CANNOT] The folder name has an empty level");
		if (depth == 0 && more && folder_is_inbox(level) && !span_eqz(level, INBOX))
			return err_set(err, ERR_PERM, "[CANNOT] INBOX is written in capitals");
	}
	if (depth > FOLDER_DEPTH_MAX)
		return err_set(err, ERR_PERM, "[CANNOT] The folder name has too many levels");
	if (!imap_utf7_valid(name))
		return err_set(err, ERR_PERM, "[CANNOT] The folder name is no modified UTF-7");
	return 0;
}

const char *folder_dir(struct arena *a, struct span name)
{
	return folder_is_inbox(name) ? "" : arena_printf(a, ".%.*s", SPAN_ARG(name));
}

/* Children follow their parent at once: the separator sorts before every other byte. */
int folder_name_cmp(struct span a, struct span b)
{
	bool a_first = span_eqz(a, INBOX) || span_starts(a, INBOX "."), b_first = span_eqz(b, INBOX) || span_starts(b, INBOX ".");
	size_t n = a.n < b.n ? a.n : b.n, i = 0;

	if (a_first != b_first)
		return a_first ? -1 : 1;
	while (i < n && a.p[i] == b.p[i])
		i++;
	if (i == n)
		return a.n < b.n ? -1 : a.n > b.n;
	if (a.p[i] == FOLDER_SEP || b.p[i] == FOLDER_SEP)
		return a.p[i] == FOLDER_SEP ? -1 : 1;
	return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
}

bool folder_is_below(struct span name, struct span parent)
{
	return name.n > parent.n && name.p[parent.n] == FOLDER_SEP && memcmp(name.p, parent.p, parent.n) == 0;
}

const char *folder_use_name(enum folder_use use)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (uses[i].use == use)
			return uses[i].name;
	return NULL;
}

unsigned folder_use_parse(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (span_eq_nocase(name, uses[i].name))
			return uses[i].use;
	return 0;
}
