#include "store/keywords.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/dotlock.h"
#include "store/textfile.h"
#include "store/uidlist.h"

#define LOCK_WAIT_MS 10000
#define TEXT_MAX (INDEX_KEYWORDS * (KEYWORD_MAX + 8u))

static struct index_file file_of(const struct stat *st)
{
	return (struct index_file){ st->st_ino, (uint64_t)st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec };
}

/* RFC 3501 section 9: flag-keyword is an atom; "\" begins flags that are not ours to define. */
static bool is_keyword(struct span name)
{
	if (name.n == 0 || name.n > KEYWORD_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 127 || strchr("(){%*\"\\]", name.p[i]))
			return false;
	return true;
}

static int lookup(const struct keywords *k, struct span name)
{
	for (int i = 0; i < INDEX_KEYWORDS; i++)
		if (name.n && span_same_nocase(k->name[i], name))
			return i;
	return -1;
}

void keywords_parse(struct keywords *k, struct span text)
{
	struct span line, number, name;
	uint64_t i;

	arena_reset(&k->arena);
	memset(k->name, 0, sizeof(k->name));
	text = arena_span(&k->arena, text);
	while (text.n) {
		span_cut(text, '\n', &line, &text);
		if (!span_cut(line, ' ', &number, &name) || span_u64(number, INDEX_KEYWORDS - 1, &i) < 0)
			continue;
		if (is_keyword(name) && lookup(k, name) < 0 && k->name[i].n == 0)
			k->name[i] = name;
	}
}

int keywords_format(const struct keywords *k, struct str *out)
{
	for (unsigned i = 0; i < INDEX_KEYWORDS; i++)
		if (k->name[i].n && str_addf(out, "%u %.*s\n", i, SPAN_ARG(k->name[i])) < 0)
			return -1;
	return 0;
}

int keywords_read(struct keywords *k, int dir, struct err *err)
{
	char text[TEXT_MAX + 1];
	struct index_file now;
	struct stat st;
	ssize_t n = 0;
	int fd;

	if (fstatat(dir, KEYWORDS_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "cannot look at " KEYWORDS_NAME);
		st = (struct stat){ 0 };
	}
	now = file_of(&st);
	if (memcmp(&k->seen, &now, sizeof(now)) == 0)
		return 0;
	fd = st.st_ino ? openat(dir, KEYWORDS_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	if (fd < 0 && st.st_ino && errno != ENOENT && errno != ELOOP)
		return err_sys(err, "cannot open " KEYWORDS_NAME);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = pread(fd, text, sizeof(text), 0);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return err_sys(err, "cannot read " KEYWORDS_NAME);
	k->seen = file_of(&st);
	keywords_parse(k, (struct span){ text, (size_t)n });
	return 0;
}

static int replace(struct keywords *k, int dir, struct textfile *f, struct err *err)
{
	struct str text = STR_INIT(TEXT_MAX);
	struct stat st;
	int rc = -1;

	if (keywords_format(k, &text) < 0)
		err_set(err, ERR_SYS, KEYWORDS_NAME " gets too long");
	else
		rc = textfile_replace(f, str_span(&text), err);
	str_fini(&text);
	k->seen.ino = UINT64_MAX;
	if (rc == 0 && fstatat(dir, KEYWORDS_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		k->seen = file_of(&st);
	return rc;
}

static int add_locked(struct keywords *k, int dir, struct span name, struct err *err)
{
	struct textfile f;
	int i = -1, rc = textfile_lock(&f, dir, KEYWORDS_NAME, LOCK_WAIT_MS, err);

	if (rc < 0)
		return -1;
	rc = keywords_read(k, dir, err);
	if (rc == 0)
		i = lookup(k, name);
	if (rc == 0 && i < 0) {
		for (i = 0; i < INDEX_KEYWORDS && k->name[i].n; i++)
			;
		if (i == INDEX_KEYWORDS) {
			rc = err_set(err, ERR_PERM, "this folder has %d keywords already", INDEX_KEYWORDS);
		} else {
			k->name[i] = arena_span(&k->arena, name);
			rc = replace(k, dir, &f, err);
			if (rc < 0)
				k->name[i] = SPAN_NULL;
		}
	}
	textfile_unlock(&f);
	return rc < 0 ? -1 : i;
}

static int add(struct keywords *k, int dir, struct span name, struct err *err)
{
	int lock = dotlock_take(dir, UIDLIST_LOCK, LOCK_WAIT_MS), i;

	if (lock < 0)
		return errno == EEXIST ? err_set(err, ERR_TEMP, UIDLIST_LOCK " is held by somebody else") :
					 err_sys(err, "cannot make " UIDLIST_LOCK);
	i = add_locked(k, dir, name, err);
	dotlock_drop(dir, UIDLIST_LOCK, lock);
	return i;
}

int keywords_find(struct keywords *k, int dir, struct span name, enum keywords_how how, struct err *err)
{
	int i = lookup(k, name);

	if (i >= 0)
		return i;
	if (!is_keyword(name))
		return err_set(err, ERR_PERM, "\"%.*s\" is no keyword", (int)(name.n > 100 ? 100 : name.n), name.n ? name.p : "");
	if (how == KEYWORDS_KNOWN)
		return err_set(err, ERR_PERM, "no such keyword");
	return how == KEYWORDS_ADD ? add(k, dir, name, err) : add_locked(k, dir, name, err);
}

int keywords_flag(struct keywords *k, int dir, struct span name, enum keywords_how how, uint32_t *flag_r,
		  struct err *err)
{
	struct err why = ERR_INIT;
	int i = keywords_find(k, dir, name, how, &why);

	*flag_r = i < 0 ? 0 : (uint32_t)INDEX_KEYWORD << i;
	if (i >= 0 || why.kind == ERR_PERM)
		return 0;
	*err = why;
	return -1;
}

void keywords_fini(struct keywords *k)
{
	arena_fini(&k->arena);
	*k = (struct keywords){ 0 };
}
