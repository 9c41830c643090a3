#include "store/uidlist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/write_all.h"
#include "store/dotlock.h"
#include "store/uidlist_priv.h"

#define TEXT_MAX (1u << 30)

/* ---- the list in memory ---- */

static void forget(struct uidlist *u)
{
	free(u->v);
	u->v = NULL;
	u->n = u->cap = u->n_by_base = 0;
	htab_fini(&u->by_base);
	arena_fini(&u->arena);
}

static void add(struct uidlist *u, const struct uidlist_rec *r)
{
	if (u->n == u->cap) {
		u->cap = u->cap ? u->cap * 2 : 64;
		u->v = xrealloc(u->v, u->cap * sizeof(*u->v));
	}
	u->v[u->n++] = *r;
}

/* A list that is made at the first look at a folder is written and not asked. */
static struct htab *by_base(struct uidlist *u)
{
	u->by_base.borrows_keys = true;
	while (u->n_by_base < u->n) {
		struct span base = u->v[u->n_by_base++].base;

		htab_put(&u->by_base, base, (void *)(uintptr_t)u->n_by_base);
	}
	return &u->by_base;
}

static struct uidlist_rec *find(struct uidlist *u, struct span base)
{
	uintptr_t at = (uintptr_t)htab_get(by_base(u), base);

	return at ? &u->v[at - 1] : NULL;
}

const struct uidlist_rec *uidlist_find(struct uidlist *u, struct span base)
{
	return find(u, base);
}

/* A list without a past: clients must forget what they know of UIDs. */
static void renew(struct uidlist *u)
{
	uint32_t now = (uint32_t)(clock_wall_ms() / 1000);
	unsigned char id[16];
	size_t i;

	forget(u);
	u->validity = now > u->validity ? now : u->validity + 1;
	u->next_uid = 1;
	u->has_past = false;
	u->must_rewrite = true;
	if (u->guid[0])
		return;
	random_bytes(id, sizeof(id));
	for (i = 0; i < sizeof(id); i++) {
		u->guid[2 * i] = "0123456789abcdef"[id[i] >> 4];
		u->guid[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
	}
}

/* ---- its text ---- */

static int parse_u32(struct span s, uint32_t *v_r)
{
	uint64_t v;

	if (span_u64(s, UINT32_MAX, &v) < 0)
		return -1;
	*v_r = (uint32_t)v;
	return 0;
}

static bool parse_header(struct uidlist *u, struct span line, bool *is_old_r)
{
	struct span word;
	uint32_t validity = 0, next = 0;

	if (!span_word(&line, " ", &word))
		return false;
	*is_old_r = span_eqz(word, "1");
	if (*is_old_r) {
		struct span a, b;

		if (!span_word(&line, " ", &a) || !span_word(&line, " ", &b) || parse_u32(a, &validity) < 0 ||
		    parse_u32(b, &next) < 0)
			return false;
	} else if (!span_eqz(word, "3")) {
		return false;
	}
	while (!*is_old_r && span_word(&line, " ", &word)) {
		struct span value = span_from(word, 1);

		if (word.p[0] == 'V' && parse_u32(value, &validity) < 0)
			return false;
		if (word.p[0] == 'N' && parse_u32(value, &next) < 0)
			return false;
		if (word.p[0] == 'G' && value.n == 32 && !span_has_nul(value)) {
			memcpy(u->guid, value.p, 32);
			u->guid[32] = '\0';
		}
	}
	if (validity == 0 || next == 0 || next > UIDLIST_UID_LAST)
		return false;
	u->validity = validity;
	u->next_uid = next;
	u->has_past = true;
	return true;
}

static void parse_extensions(struct uidlist *u, struct span ext, struct uidlist_rec *r)
{
	struct str other = STR_INIT(4096);
	struct span word;

	while (span_word(&ext, " ", &word)) {
		if (word.p[0] == 'W' && span_u64(span_from(word, 1), INT64_MAX, &r->vsize) == 0)
			continue;
		if (word.p[0] == 'P')
			r->pop3_id = span_from(word, 1);
		else if (str_addc(&other, ' ') < 0 || str_add_span(&other, word) < 0)
			break;
	}
	r->other = other.n ? arena_span(&u->arena, str_span(&other)) : SPAN_NULL;
	str_fini(&other);
}

/* false: the line is not a record that may stay. */
bool uidlist_parse_record(struct uidlist *u, struct span line, bool is_old)
{
	struct uidlist_rec r = { .vsize = UINT64_MAX };
	struct span uid, rest, ext = SPAN_NULL, name, flags;
	uintptr_t before;

	if (!span_cut(line, ' ', &uid, &rest) || parse_u32(uid, &r.uid) < 0 || r.uid == 0 || r.uid >= UIDLIST_UID_LAST)
		return false;
	name = rest;
	if (!is_old && !span_cut(rest, ':', &ext, &name))
		return false;
	span_cut(name, ':', &r.base, &flags);
	if (r.base.n == 0 || span_has_nul(line) || span_chr(r.base, '/') >= 0 ||
	    (u->n && r.uid <= u->v[u->n - 1].uid))
		return false;
	/* a file that was away and came back has a second one, which counts; as Dovecot has it */
	before = (uintptr_t)htab_put(by_base(u), r.base, (void *)(uintptr_t)(u->n + 1));
	if (before)
		u->v[before - 1].is_known_gone = true;
	parse_extensions(u, ext, &r);
	add(u, &r);
	u->n_by_base = u->n;
	return !before;
}

bool uidlist_parse(struct uidlist *u, struct span text)
{
	struct span line;
	bool is_old = false;

	if (!span_cut(text, '\n', &line, &text) || !parse_header(u, line, &is_old))
		return false;
	if (is_old)
		u->must_rewrite = true;
	while (text.n) {
		bool has_end = span_cut(text, '\n', &line, &text);

		if (!has_end || !uidlist_parse_record(u, line, is_old))
			u->must_rewrite = true;
	}
	if (u->n && u->v[u->n - 1].uid >= u->next_uid)
		u->next_uid = u->v[u->n - 1].uid + 1;
	return true;
}

int uidlist_format_record(const struct uidlist_rec *r, struct str *out)
{
	if (str_add_u64(out, r->uid) < 0)
		return -1;
	if (r->vsize != UINT64_MAX && (str_addz(out, " W") < 0 || str_add_u64(out, r->vsize) < 0))
		return -1;
	if (r->pop3_id.n && (str_addz(out, " P") < 0 || str_add_span(out, r->pop3_id) < 0))
		return -1;
	if (str_add_span(out, r->other) < 0 || str_addz(out, " :") < 0 || str_add_span(out, r->base) < 0)
		return -1;
	return str_addc(out, '\n');
}

int uidlist_format(const struct uidlist *u, struct str *out)
{
	size_t i;

	if (str_addf(out, "3 V%u N%u G%s\n", u->validity, u->next_uid, u->guid) < 0)
		return -1;
	for (i = 0; i < u->n; i++) {
		if (!u->v[i].is_known_gone && uidlist_format_record(&u->v[i], out) < 0)
			return -1;
	}
	return 0;
}

/* ---- its file ---- */

int uidlist_read_all(int fd, off_t from, char *p, size_t n, size_t *got_r)
{
	size_t at = 0;

	while (at < n) {
		ssize_t got = pread(fd, p + at, n - at, from + (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		at += (size_t)got;
	}
	*got_r = at;
	return 0;
}

static int load(struct uidlist *u, struct err *err)
{
	uint32_t next = u->next_uid, validity = u->validity;
	int fd = openat(u->dir, UIDLIST_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct span text = SPAN_NULL;
	int rc = 0;

	if (fd < 0 && errno != ENOENT)
		return err_sys(err, "cannot open " UIDLIST_NAME);
	forget(u);
	u->must_rewrite = fd < 0;
	u->file = (struct index_file){ 0 };
	if (fd < 0) {
		renew(u);
		return 0;
	}
	if (uidlist_fstat(fd, &u->file, &u->mode) < 0) {
		rc = err_sys(err, "cannot read " UIDLIST_NAME);
	} else if (!S_ISREG(u->mode) || u->file.size > TEXT_MAX) {
		rc = err_set(err, ERR_SYS, UIDLIST_NAME " is not a file that can be read");
	} else {
		char *p = arena_alloc(&u->arena, u->file.size + 1);

		if (uidlist_read_all(fd, 0, p, u->file.size, &text.n) < 0)
			rc = err_sys(err, "cannot read " UIDLIST_NAME);
		text.p = p;
	}
	close(fd);
	if (rc < 0)
		return -1;
	if (!uidlist_parse(u, text))
		renew(u);
	else if (u->validity == validity && next > u->next_uid)
		u->next_uid = next;
	return 0;
}

static bool is_changed(const struct uidlist *u)
{
	struct index_file now;
	struct err err = ERR_INIT;

	return uidlist_stat(u->dir, &now, &err) < 0 || !uidlist_same(&now, &u->file);
}

int uidlist_open(struct uidlist *u, int dir, struct err *err)
{
	*u = (struct uidlist){ .dir = dir };
	return load(u, err);
}

void uidlist_close(struct uidlist *u)
{
	forget(u);
}

/* ---- writing ---- */

/* Takes the lock's descriptor. -1 with errno: the old list is as it was. */
static int rewrite(struct uidlist *u, int lock)
{
	struct str text = STR_INIT(TEXT_MAX);
	int rc = uidlist_format(u, &text), saved;

	if (rc == 0 && u->file.ino)
		(void)!fchmod(lock, u->mode & 0666);
	if (rc == 0)
		rc = write_all(lock, str_span(&text));
	if (rc == 0)
		rc = fsync(lock);
	if (rc == 0)
		rc = renameat(u->dir, UIDLIST_LOCK, u->dir, UIDLIST_NAME);
	saved = errno;
	str_fini(&text);
	if (rc < 0) {
		dotlock_drop(u->dir, UIDLIST_LOCK, lock);
		errno = saved;
		return -1;
	}
	(void)!fsync(u->dir);
	(void)!uidlist_fstat(lock, &u->file, &u->mode);
	close(lock);
	u->has_past = true;
	u->must_rewrite = false;
	return 0;
}

/* The records from first on. A write that fails is taken back: half a record would end in the next one. */
static int append(struct uidlist *u, size_t first)
{
	struct str text = STR_INIT(TEXT_MAX);
	int fd = openat(u->dir, UIDLIST_NAME, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	size_t i;
	int rc = fd < 0 ? -1 : 0, saved;

	for (i = first; rc == 0 && i < u->n; i++)
		rc = uidlist_format_record(&u->v[i], &text);
	if (rc == 0)
		rc = write_all(fd, str_span(&text));
	if (rc == 0)
		rc = fdatasync(fd);
	saved = errno;
	str_fini(&text);
	if (rc == 0) {
		(void)!uidlist_fstat(fd, &u->file, &u->mode);
	} else if (fd >= 0) {
		(void)!ftruncate(fd, (off_t)u->file.size);
	}
	if (fd >= 0)
		close(fd);
	errno = saved;
	return rc;
}

/* ---- giving numbers ---- */

static size_t mark_known(struct uidlist *u, struct maildir_scan *s)
{
	size_t i, n_new = 0;

	for (i = 0; i < u->n; i++)
		u->v[i].is_known_gone = true;
	for (i = 0; i < s->n; i++) {
		struct uidlist_rec *r = find(u, maildir_entry_base(&s->v[i]));

		s->v[i].uid = r ? r->uid : 0;
		if (r)
			r->is_known_gone = false;
		else
			n_new++;
	}
	return n_new;
}

size_t uidlist_missing(const struct uidlist *u, const struct maildir_scan *s)
{
	size_t i, n = 0, at = 0;

	for (i = 0; i < u->n; i++) {
		const struct maildir_entry *e;

		/* the next in order of arrival, mostly */
		if (at < s->n && span_eq(maildir_entry_base(&s->v[at]), u->v[i].base)) {
			at++;
			continue;
		}
		e = maildir_scan_find(s, u->v[i].base);
		n += !e;
		at = e ? (size_t)(e - s->v) + 1 : at;
	}
	return n;
}

static void number_new(struct uidlist *u, struct maildir_scan *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		struct uidlist_rec r = { .vsize = UINT64_MAX };

		if (i + MAILDIR_AHEAD < s->n)
			maildir_entry_fetch(&s->v[i + MAILDIR_AHEAD]);
		if (s->v[i].uid)
			continue;
		r.uid = s->v[i].uid = u->next_uid++;
		r.base = arena_span(&u->arena, maildir_entry_base(&s->v[i]));
		add(u, &r);
	}
}

static bool is_worth_rewriting(const struct uidlist *u)
{
	size_t i, gone = 0;

	for (i = 0; i < u->n; i++)
		gone += u->v[i].is_known_gone;
	return gone > 64 && gone > u->n / 2;
}

/* What others numbered since our list was read came after our scan too: its absence there says nothing. */
static void keep_newer(struct uidlist *u, uint32_t last)
{
	size_t i;

	for (i = u->n; i > 0 && u->v[i - 1].uid > last; i--)
		u->v[i - 1].is_known_gone = false;
}

static int sync_locked(struct uidlist *u, struct maildir_scan *s, int lock, struct err *err)
{
	uint32_t last = u->n ? u->v[u->n - 1].uid : 0, validity = u->validity;
	size_t first;

	if (is_changed(u) && load(u, err) < 0) {
		dotlock_drop(u->dir, UIDLIST_LOCK, lock);
		return -1;
	}
	if (mark_known(u, s) > UIDLIST_UID_LAST - u->next_uid) {
		renew(u);
		(void)mark_known(u, s);
	}
	keep_newer(u, u->validity == validity ? last : 0);
	first = u->n;
	number_new(u, s);
	if (u->must_rewrite || is_worth_rewriting(u)) {
		if (rewrite(u, lock) == 0)
			return 0;
	} else {
		int rc = u->n > first ? append(u, first) : 0, saved = errno;

		dotlock_drop(u->dir, UIDLIST_LOCK, lock);
		if (rc == 0)
			return 0;
		errno = saved;
	}
	if (!dotlock_is_hopeless(errno))
		return err_sys(err, "cannot write " UIDLIST_NAME);
	u->is_volatile = true;
	return 0;
}

int uidlist_sync_held(struct uidlist *u, struct maildir_scan *s, int lock, struct err *err)
{
	if (lock >= 0)
		return sync_locked(u, s, lock, err);
	u->is_volatile = true;
	(void)mark_known(u, s);
	number_new(u, s);
	return 0;
}

void uidlist_recall(struct uidlist *u, uint32_t uid, struct span base)
{
	struct uidlist_rec r = { .uid = uid, .vsize = UINT64_MAX };

	if (uid < u->next_uid || find(u, base))
		return;
	r.base = arena_span(&u->arena, base);
	add(u, &r);
	u->next_uid = uid + 1;
	u->must_rewrite = true;
}

void uidlist_forget(struct uidlist *u, struct span base)
{
	if (htab_del(by_base(u), base))
		u->must_rewrite = true;
}
