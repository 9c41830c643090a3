#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/mailbox_priv.h"

/* Not one that was renamed while the directory was read, and not one with two links, as some rename it. */
static bool are_two(int dir, const char *a, const char *b, struct stat *a_r)
{
	struct stat st;

	return fstatat(dir, a, a_r, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(dir, b, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a_r->st_ino != st.st_ino;
}

void mailbox_twins_prefer(struct maildir_scan *s, int cur, struct maildir_entry *e, struct span name)
{
	struct stat st;

	if (span_eqz(name, e->name))
		return;
	for (uint32_t i = e->twin; i; i = s->twins[i - 1].next) {
		const char *twin = s->twins[i - 1].name;

		if (!span_eqz(name, twin) || !are_two(cur, twin, e->name, &st))
			continue;
		s->twins[i - 1].name = e->name;
		e->name = twin;
		return;
	}
}

void mailbox_twins_part(struct disk *d, struct maildir_scan *s)
{
	for (size_t i = 0; i < s->n_twins; i++) {
		const char *twin = s->twins[i].name, *info = strchr(twin, ':');
		struct span base = { twin, info ? (size_t)(info - twin) : strlen(twin) };
		const struct maildir_entry *e = maildir_scan_find(s, base);
		char fresh[256], to[NAME_MAX + 1];
		struct stat st;

		if (!e || e->is_new || strcmp(e->name, twin) == 0 || !are_two(d->md->cur, twin, e->name, &st))
			continue;
		mail_store_name(d->store, fresh, (uint64_t)st.st_size, UINT64_MAX);
		if ((size_t)snprintf(to, sizeof(to), "%s%s", fresh, info ? info : ":2,") < sizeof(to) &&
		    renameat2(d->md->cur, twin, d->md->cur, to, RENAME_NOREPLACE) == 0)
			maildir_scan_add(s, to, false);
	}
}
