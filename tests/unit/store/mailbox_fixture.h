/* mailbox_fixture.h: a Maildir of one's own under /tmp with a store on it; for the tests of mailbox.h */
#ifndef TEST_MAILBOX_FIXTURE_H
#define TEST_MAILBOX_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "store/mail_store.h"
#include "store/mailbox.h"

#define FIXTURE __attribute__((unused)) static

static char fixture_root[64];
static char fixture_mail[96];
static struct mail_store fixture_store;
static const char *fixture_index = "";
static uint64_t fixture_quota;

#define OK(call)                                                                        \
	do {                                                                            \
		if ((call) < 0)                                                         \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, #call, err.msg);  \
	} while (0)

FIXTURE int fixture_rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

FIXTURE void fixture_open(struct mail_store *s)
{
	struct mail_store_options opt = { .home = "", .mail = fixture_mail, .index = fixture_index, .host = "h",
					  .instance = 7, .quota = { .bytes = fixture_quota } };
	struct err err = ERR_INIT;

	OK(mail_store_open(s, &opt, &err));
}

FIXTURE int fixture_setup(void **state)
{
	snprintf(fixture_root, sizeof(fixture_root), "/tmp/mailbox-test-XXXXXX");
	assert_non_null(mkdtemp(fixture_root));
	snprintf(fixture_mail, sizeof(fixture_mail), "%s/Maildir", fixture_root);
	fixture_index = "";
	fixture_quota = 0;
	fixture_open(&fixture_store);
	return 0;
}

FIXTURE int fixture_teardown(void **state)
{
	mail_store_close(&fixture_store);
	nftw(fixture_root, fixture_rm, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

FIXTURE void fixture_path(char *buf, size_t n, const char *name)
{
	assert_true((size_t)snprintf(buf, n, "%s/%s", fixture_mail, name) < n);
}

/* Writes a file as another program would. */
FIXTURE void put(const char *name, const char *text)
{
	char path[400];
	int fd;

	fixture_path(path, sizeof(path), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

FIXTURE bool exists(const char *name)
{
	char path[400];

	fixture_path(path, sizeof(path), name);
	return access(path, F_OK) == 0;
}

FIXTURE void move(const char *from, const char *to)
{
	char a[400], b[400];

	fixture_path(a, sizeof(a), from);
	fixture_path(b, sizeof(b), to);
	assert_int_equal(rename(a, b), 0);
}

FIXTURE void drop(const char *name)
{
	char path[400];

	fixture_path(path, sizeof(path), name);
	assert_int_equal(unlink(path), 0);
}

FIXTURE void make_folder(const char *folder)
{
	static const char *const names[] = { "", "/tmp", "/new", "/cur" };
	char path[400];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", fixture_mail, folder, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

/* The content of a file; static memory. */
FIXTURE char *text_of(const char *name)
{
	static char buf[65536];
	char path[400];
	ssize_t n;
	int fd;

	fixture_path(path, sizeof(path), name);
	fd = open(path, O_RDONLY);
	n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : 0;
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

/* How many names a directory has; the last one that begins with prefix in name (NAME_MAX + 1) if that is not NULL. */
FIXTURE size_t count_files(const char *dir, const char *prefix, char *name)
{
	char path[400];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	fixture_path(path, sizeof(path), dir);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (name && strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			snprintf(name, NAME_MAX + 1, "%s", e->d_name);
	}
	closedir(d);
	return n;
}

FIXTURE struct mailbox *open_box(struct mail_store *s, const char *folder, unsigned flags)
{
	struct err err = ERR_INIT;
	struct mailbox *b = NULL;

	OK(mailbox_open(&b, s, folder, flags, &err));
	return b;
}

/* How many messages have no record, as the folder's numbers say. */
FIXTURE uint32_t recordless_of(const char *folder)
{
	struct err err = ERR_INIT;
	struct index_folder f;
	struct index_txn t;

	OK(index_begin(fixture_store.index, false, &t, &err));
	assert_int_equal(index_folder_get(&t, span_z(folder), &f, &err), 1);
	index_end(&t);
	return f.n_recordless;
}

/* "1:S 2: 3:FRa" as the view has it, "!" behind what is gone. */
FIXTURE const char *view_of(struct mailbox *b)
{
	static const struct { uint32_t flag; char c; } letters[] = {
		{ INDEX_DRAFT, 'D' }, { INDEX_FLAGGED, 'F' }, { INDEX_ANSWERED, 'R' }, { INDEX_SEEN, 'S' },
		{ INDEX_DELETED, 'T' }, { INDEX_KEYWORD, 'a' }, { INDEX_KEYWORD * 2, 'b' },
	};
	static char text[65536];
	struct err err = ERR_INIT;
	size_t n = 0;

	OK(mailbox_load(b, &err));
	text[0] = '\0';
	for (size_t i = 0; i < b->n && n < sizeof(text) - 100; i++) {
		n += (size_t)snprintf(text + n, 20, "%s%u:", i ? " " : "", b->v[i].uid);
		for (size_t k = 0; k < ARRAY_LEN(letters); k++)
			if (b->v[i].flags & letters[k].flag)
				text[n++] = letters[k].c;
		if (b->v[i].is_gone)
			text[n++] = '!';
		text[n] = '\0';
	}
	return text;
}

/* "-1 -1 *2 +3k": expunged and changed sequence numbers, the new EXISTS, keywords. */
FIXTURE const char *sync_of(struct mailbox *b, bool may_expunge)
{
	static char text[65536];
	struct mailbox_changes ch;
	struct err err = ERR_INIT;
	size_t n = 0;

	OK(mailbox_sync(b, may_expunge, &ch, &err));
	text[0] = '\0';
	for (size_t i = 0; i < ch.n_expunged && n < 60000; i++)
		n += (size_t)snprintf(text + n, 20, "-%u ", ch.expunged[i]);
	for (size_t i = 0; i < ch.n_changed && n < 60000; i++)
		n += (size_t)snprintf(text + n, 20, "*%u ", ch.changed[i]);
	if (ch.has_new)
		n += (size_t)snprintf(text + n, 20, "+%zu ", b->n);
	if (ch.has_new_keywords)
		n += (size_t)snprintf(text + n, 20, "k ");
	if (ch.is_lost)
		n += (size_t)snprintf(text + n, 20, "lost ");
	if (n)
		text[n - 1] = '\0';
	return text;
}

FIXTURE void store_flags(struct mailbox *b, uint32_t i, enum mailbox_store_how how, uint32_t flags)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	uint32_t *modified;
	size_t n;

	OK(mailbox_load(b, &err));
	OK(mailbox_store(b, &i, 1, how, flags, UINT64_MAX, &a, &modified, &n, &err));
	arena_fini(&a);
}

/* The UID of the one message appended. */
FIXTURE uint32_t append(struct mail_store *s, const char *folder, const char *text, uint32_t flags)
{
	struct mailbox_append *a;
	struct mailbox_added added;
	struct err err = ERR_INIT;
	uint32_t uid;

	OK(mailbox_append_begin(&a, s, folder, &err));
	OK(mailbox_append_msg(a, strlen(text), flags, NULL, 0, 1000000000, &err));
	OK(mailbox_append_data(a, span_z(text), &err));
	OK(mailbox_append_commit(&a, &added, &err));
	assert_int_equal(added.n, 1);
	uid = added.uids[0];
	free(added.uids);
	return uid;
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
