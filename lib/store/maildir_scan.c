#include "store/maildir_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/htab.h"
#include "base/mem.h"

static size_t base_len(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon ? (size_t)(colon - name) : strlen(name);
}

static size_t slot_of(const struct maildir_scan *s, struct span base, uint64_t hash)
{
	size_t at = hash & (s->n_slots - 1);

	while (s->slots[at]) {
		const struct maildir_entry *e = &s->v[s->slots[at] - 1];

		if (e->hash == hash && span_eq(maildir_entry_base(e), base))
			break;
		at = (at + 1) & (s->n_slots - 1);
	}
	return at;
}

static void fill_slots(struct maildir_scan *s)
{
	memset(s->slots, 0, s->n_slots * sizeof(*s->slots));
	for (size_t i = 0; i < s->n; i++)
		s->slots[slot_of(s, maildir_entry_base(&s->v[i]), s->v[i].hash)] = (uint32_t)i + 1;
}

/* Room for one more entry, and a table that is half full at most. */
static void grow(struct maildir_scan *s)
{
	if (s->n < s->cap)
		return;
	s->cap = s->cap ? s->cap * 2 : 64;
	s->v = xrealloc(s->v, s->cap * sizeof(*s->v));
	s->n_slots = s->cap * 2;
	s->slots = xrealloc(s->slots, s->n_slots * sizeof(*s->slots));
	fill_slots(s);
}

/* What e was called so far; its number. */
static uint32_t add_twin(struct maildir_scan *s, const struct maildir_entry *e)
{
	if (s->n_twins == s->cap_twins) {
		s->cap_twins = s->cap_twins ? s->cap_twins * 2 : 8;
		s->twins = xrealloc(s->twins, s->cap_twins * sizeof(*s->twins));
	}
	s->twins[s->n_twins++] = (struct maildir_twin){ e->name, e->twin };
	return (uint32_t)s->n_twins;
}

void maildir_scan_add(struct maildir_scan *s, const char *name, bool is_new)
{
	struct span base = { name, base_len(name) };
	uint64_t hash = htab_hash(base);
	uint32_t twin = 0;
	size_t at;

	grow(s);
	at = slot_of(s, base, hash);
	if (s->slots[at] && strcmp(s->v[s->slots[at] - 1].name, name) == 0) {
		s->v[s->slots[at] - 1].is_new = is_new;
		return;
	}
	if (!s->slots[at])
		s->slots[at] = (uint32_t)++s->n;
	else if (!is_new && !s->v[s->slots[at] - 1].is_new)
		twin = add_twin(s, &s->v[s->slots[at] - 1]);
	s->v[s->slots[at] - 1] = (struct maildir_entry){
		.name = arena_strdup(&s->arena, name), .base_n = base.n, .is_new = is_new,
		.arrival_s = strtoull(name, NULL, 10), .hash = hash, .twin = twin,
	};
}

/* A descriptor of its own: the position of the maildir's belongs to everybody who has it. */
static DIR *open_again(int fd, struct err *err)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again >= 0 ? fdopendir(again) : NULL;

	if (!d) {
		err_sys(err, "cannot list the mailbox");
		if (again >= 0)
			close(again);
	}
	return d;
}

/* A line end in a name would break the files that list them. What is no file or a link to one is never opened. */
static bool is_letter(const struct dirent *e)
{
	return e->d_name[0] != '.' && e->d_name[0] != ':' && !strchr(e->d_name, '\n') &&
	       (e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
}

int maildir_scan_dir(struct maildir_scan *s, int fd, bool is_new, struct err *err)
{
	DIR *d = open_again(fd, err);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return -1;
	errno = 0;
	while ((e = readdir(d))) {
		if (is_letter(e))
			maildir_scan_add(s, e->d_name, is_new);
		errno = 0;
	}
	if (errno)
		rc = err_sys(err, "cannot list the mailbox");
	closedir(d);
	return rc;
}

/* new/ first: what moves to cur/ in between is then seen twice, never not at all. */
int maildir_scan(struct maildir_scan *s, const struct maildir *md, struct err *err)
{
	if (maildir_scan_dir(s, md->new, true, err) < 0)
		return -1;
	return maildir_scan_dir(s, md->cur, false, err);
}

void maildir_scan_fini(struct maildir_scan *s)
{
	free(s->v);
	free(s->slots);
	free(s->twins);
	arena_fini(&s->arena);
	*s = (struct maildir_scan){ 0 };
}

int maildir_entry_cmp(const struct maildir_entry *x, const struct maildir_entry *y)
{
	if (x->arrival_s != y->arrival_s)
		return x->arrival_s < y->arrival_s ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Entries are large: what is compared stands together. */
struct place {
	uint64_t arrival_s;
	const char *name;
	uint32_t at;
};

static int by_arrival(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->arrival_s != y->arrival_s)
		return x->arrival_s < y->arrival_s ? -1 : 1;
	return strcmp(x->name, y->name);
}

void maildir_scan_sort(struct maildir_scan *s)
{
	struct place *p = xcalloc(s->n + 1, sizeof(*p));
	uint32_t *moved = xcalloc(s->n + 1, sizeof(*moved));
	struct maildir_entry *v = xrealloc(NULL, (s->cap + 1) * sizeof(*v));

	for (size_t i = 0; i < s->n; i++)
		p[i] = (struct place){ s->v[i].arrival_s, s->v[i].name, (uint32_t)i };
	qsort(p, s->n, sizeof(*p), by_arrival);
	for (size_t i = 0; i < s->n; i++) {
		v[i] = s->v[p[i].at];
		moved[p[i].at] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i])
			s->slots[i] = moved[s->slots[i] - 1];
	free(s->v);
	s->v = v;
	free(moved);
	free(p);
}

struct maildir_entry *maildir_scan_find(const struct maildir_scan *s, struct span base)
{
	uint32_t at = s->n ? s->slots[slot_of(s, base, htab_hash(base))] : 0;

	return at ? &s->v[at - 1] : NULL;
}

static int locate_in(int fd, struct span base, struct arena *a, const char **name_r, struct err *err)
{
	DIR *d = open_again(fd, err);
	struct dirent *e;
	int found = 0;

	if (!d)
		return -1;
	while (!found && (e = readdir(d))) {
		if (base_len(e->d_name) == base.n && memcmp(e->d_name, base.p, base.n) == 0) {
			*name_r = arena_strdup(a, e->d_name);
			found = 1;
		}
	}
	closedir(d);
	return found;
}

int maildir_locate(const struct maildir *md, struct span base, struct arena *a, struct maildir_entry *e_r,
		   struct err *err)
{
	int turn, rc = 0;

	/* twice: a rename during the first look may hide the file from it */
	for (turn = 0; turn < 2 && rc == 0; turn++) {
		const char *name = NULL;
		bool is_new = true;

		rc = locate_in(md->new, base, a, &name, err);
		if (rc == 0) {
			is_new = false;
			rc = locate_in(md->cur, base, a, &name, err);
		}
		if (rc > 0)
			*e_r = (struct maildir_entry){ .name = name, .base_n = base.n, .is_new = is_new };
	}
	return rc;
}

int maildir_size_tag(struct span base, char tag, uint64_t *n_r)
{
	struct span part;

	while (span_cut(base, ',', &part, &base)) {
		struct span value;

		if (base.n > 2 && base.p[0] == tag && base.p[1] == '=') {
			span_cut(span_from(base, 2), ',', &value, &part);
			return span_u64(value, INT64_MAX, n_r);
		}
	}
	return -1;
}
