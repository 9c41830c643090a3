#include "store/folder_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

struct list {
	struct arena *a;
	struct folder *v;               /* heap */
	size_t n, cap;
};

static struct folder *add(struct list *l, const char *name)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n] = (struct folder){ .name = name };
	return &l->v[l->n++];
}

/* d_type tells without a stat what is a directory; a link counts only when it leads to one of this Maildir. */
static bool is_folder(struct mail_store *s, const struct dirent *e)
{
	struct span name = span_z(e->d_name + 1);
	struct err err = ERR_INIT;

	if (e->d_name[0] != '.' || e->d_name[1] == '\0' || e->d_name[1] == '.' || folder_is_inbox(name))
		return false;
	if (e->d_type != DT_DIR && e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
		return false;
	if (folder_name_check(name, &err) < 0)
		return false;
	return e->d_type == DT_DIR || folder_tree_has(s, e->d_name, &err) == 1;
}

static int add_dirs(struct mail_store *s, struct list *l, struct err *err)
{
	int fd = openat(s->root.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		err_sys(err, "cannot list the folders");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (errno = 0, (e = readdir(dir)) != NULL)
		if (is_folder(s, e))
			add(l, arena_strdup(l->a, e->d_name + 1))->exists = true;
	if (errno != 0)
		err_sys(err, "cannot list the folders");
	fd = errno != 0 ? -1 : 0;
	closedir(dir);
	return fd;
}

static int add_subs(struct mail_store *s, struct list *l, struct err *err)
{
	struct str text = STR_INIT(FOLDER_TEXT_MAX);
	struct arena a = { 0 };
	struct folder_subs subs;
	int rc = folder_subs_read(s, &a, &text, &subs, err);

	for (size_t i = 0; rc == 0 && i < subs.n; i++)
		if (subs.v[i].name.n)
			add(l, arena_strndup(l->a, subs.v[i].name.p, subs.v[i].name.n))->is_subscribed = true;
	str_fini(&text);
	arena_fini(&a);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return folder_name_cmp(span_z(((const struct folder *)a)->name), span_z(((const struct folder *)b)->name));
}

static void merge_same(struct list *l)
{
	size_t k = 0;

	for (size_t i = 1; i < l->n; i++) {
		if (by_name(&l->v[k], &l->v[i]) != 0) {
			l->v[++k] = l->v[i];
			continue;
		}
		l->v[k].exists |= l->v[i].exists;
		l->v[k].is_subscribed |= l->v[i].is_subscribed;
	}
	l->n = k + 1;
}

/* in is sorted, so the parents of a name are on the way from the root to the one before it. */
static void add_parents(struct list *out, const struct list *in)
{
	size_t above[FOLDER_DEPTH_MAX + 1], depth = 0;

	for (size_t i = 0; i < in->n; i++) {
		struct span name = span_z(in->v[i].name);
		struct folder *f;

		while (depth > 0 && !folder_is_below(name, span_z(out->v[above[depth - 1]].name)))
			depth--;
		for (size_t at = depth ? strlen(out->v[above[depth - 1]].name) + 1 : 0; at < name.n; at++)
			if (name.p[at] == FOLDER_SEP) {
				add(out, arena_strndup(out->a, name.p, at));
				above[depth++] = out->n - 1;
			}
		f = add(out, name.p);
		*f = in->v[i];
		for (size_t k = depth; f->exists && k > 0 && !out->v[above[k - 1]].has_children; k--)
			out->v[above[k - 1]].has_children = true;
		above[depth++] = out->n - 1;
	}
}

const struct folder *folder_find(const struct folder_list *l, struct span name)
{
	size_t low = 0, high = l->n;

	if (folder_is_inbox(name))
		name = SPAN_LIT("INBOX");
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = folder_name_cmp(name, span_z(l->v[mid].name));

		if (c == 0)
			return &l->v[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static int set_uses(struct mail_store *s, struct arena *a, struct folder_list *l, struct err *err)
{
	struct arena_mark mark = arena_mark(a);
	struct folder_marks m;

	if (folder_marks_read(s, a, &m, err) < 0)
		return -1;
	for (unsigned use = 1; use <= FOLDER_ALL; use <<= 1) {
		struct span name = folder_use_holder(s, a, &m, use);
		const struct folder *f = name.n ? folder_find(l, name) : NULL;

		if (f && f->exists)
			l->v[f - l->v].special |= use;
	}
	arena_rewind(a, mark);
	return 0;
}

int folder_list(struct mail_store *s, struct arena *a, struct folder_list *l_r, struct err *err)
{
	struct list in = { .a = a }, out = { .a = a };
	int rc;

	*l_r = (struct folder_list){ 0 };
	add(&in, "INBOX")->exists = true;
	rc = add_dirs(s, &in, err);
	if (rc == 0)
		rc = add_subs(s, &in, err);
	if (rc == 0) {
		qsort(in.v, in.n, sizeof(*in.v), by_name);
		merge_same(&in);
		add_parents(&out, &in);
		l_r->v = arena_alloc(a, out.n * sizeof(*out.v));
		memcpy(l_r->v, out.v, out.n * sizeof(*out.v));
		l_r->n = out.n;
		rc = set_uses(s, a, l_r, err);
	}
	free(in.v);
	free(out.v);
	return rc;
}

int folder_exists(struct mail_store *s, struct span name, struct err *err)
{
	char dir[FOLDER_NAME_MAX + 1];

	if (folder_name_check(name, err) < 0)
		return 0;
	if (folder_is_inbox(name))
		return 1;
	dir[0] = '.';
	memcpy(dir + 1, name.p, name.n);
	dir[name.n + 1] = '\0';
	return folder_tree_has(s, dir, err);
}
