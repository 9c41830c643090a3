/* Random sessions against a model: two handles and a stranger on one folder. After every sync the view must be what a
 * client that believes each answer would think, and what the disk holds; a UID stands for one letter forever. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <time.h>

#include "mailbox_fixture.h"
#include "store/maildir_name.h"

#define SEEDS 12
#define STEPS 300
#define LETTERS 4000
#define UIDS 20000

static uint64_t rng;
static unsigned n_letters;              /* every letter says which it is */
static unsigned letter_of_uid[UIDS];    /* + 1 */
static unsigned step, seed;

struct client {
	struct mailbox *b;
	uint32_t uid[UIDS];             /* by sequence number, 0: not known */
	size_t n;
};

static struct client clients[2];

static unsigned dice(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng % n);
}

#define CHECK(cond)                                                                             \
	do {                                                                                    \
		if (!(cond))                                                                    \
			fail_msg("seed %u step %u, line %d: %s", seed, step, __LINE__, #cond);  \
	} while (0)

static const char *letter_text(unsigned id)
{
	static char text[100];

	snprintf(text, sizeof(text), "Subject: %u\n\nletter %u\n", id, id);
	return text;
}

static unsigned letter_of(struct mailbox *b, size_t i)
{
	struct err err = ERR_INIT;
	char text[100] = "";
	int fd = mailbox_file(b, i, NULL, &err);

	if (fd < 0)
		fail_msg("seed %u step %u: %s", seed, step, err.msg);
	CHECK(read(fd, text, sizeof(text) - 1) > 9);
	close(fd);
	return (unsigned)strtoul(text + 9, NULL, 10);
}

/* A file of cur/ or new/ by chance. */
static bool any_file(char name[NAME_MAX + 1], const char **dir)
{
	char path[400];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	*dir = dice(4) ? "cur" : "new";
	fixture_path(path, sizeof(path), *dir);
	d = opendir(path);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && dice(++n) == 0)
			snprintf(name, NAME_MAX + 1, "%s", e->d_name);
	closedir(d);
	return n > 0;
}

static void stranger(void)
{
	char name[NAME_MAX + 1], from[600], to[600], fresh[NAME_MAX + 1];
	const char *dir;

	snprintf(to, sizeof(to), "%s/%u.x%s", dice(3) ? "new" : "cur", 1000000 + n_letters, dice(2) ? ":2,S" : "");
	switch (dice(5)) {
	case 0:
	case 1:
		if (strncmp(to, "new", 3) == 0)
			to[strcspn(to, ":")] = '\0';
		put(to, letter_text(n_letters++));
		break;
	case 2:
		if (!any_file(name, &dir))
			break;
		snprintf(from, sizeof(from), "%s/%s", dir, name);
		drop(from);
		break;
	default:
		if (!any_file(name, &dir) || maildir_name_make(fresh, span_z(name), dice(1024) & 0x3f) < 0)
			break;
		snprintf(from, sizeof(from), "%s/%s", dir, name);
		snprintf(to, sizeof(to), "cur/%s", fresh);
		move(from, to);
	}
}

static void check_disk(struct client *c)
{
	struct mailbox *b = c->b;
	struct err err = ERR_INIT;
	size_t n = count_files("new", "", NULL) + count_files("cur", "", NULL);
	uint32_t unseen = 0, first = 0;

	CHECK(b->n == n);
	CHECK(b->now.n == n);
	for (size_t i = 0; i < b->n; i++) {
		struct index_msg m;
		struct index_txn t;
		struct index_folder f;
		struct span name;
		unsigned id = letter_of(b, i) + 1;
		char path[400];

		CHECK(letter_of_uid[b->v[i].uid] == 0 || letter_of_uid[b->v[i].uid] == id);
		letter_of_uid[b->v[i].uid] = id;
		OK(mailbox_msg(b, i, 0, &m, &err));
		CHECK(m.flags == b->v[i].flags && m.modseq == b->v[i].modseq);
		OK(index_begin(fixture_store.index, false, &t, &err));
		OK(index_folder_get(&t, SPAN_NULL, &f, &err));
		CHECK(index_part_get(&t, f.id, m.uid, INDEX_NAME, &name, &err) == 1);
		snprintf(path, sizeof(path), "%s/%.*s", m.state & INDEX_IN_NEW ? "new" : "cur", SPAN_ARG(name));
		CHECK(exists(path));
		CHECK(maildir_name_flags(name) == m.flags);
		index_end(&t);
		if (!(m.flags & INDEX_SEEN)) {
			unseen++;
			first = first ? first : (uint32_t)i + 1;
		}
	}
	CHECK(b->now.n_unseen == unseen);
	CHECK(b->now.first_unseen == first);
}

/* What the client makes of the answers. */
static void sync_client(struct client *c, bool may_expunge)
{
	struct mailbox *b = c->b;
	struct mailbox_changes ch;
	struct err err = ERR_INIT;
	size_t was_loaded = b->is_loaded;

	OK(mailbox_sync(b, may_expunge, &ch, &err));
	CHECK(!ch.is_lost);
	for (size_t i = 0; i < ch.n_expunged; i++) {
		uint32_t at = ch.expunged[i];

		CHECK(at >= 1 && at <= c->n);
		CHECK(c->uid[at - 1] == 0 || c->uid[at - 1] == ch.expunged_uids[i]);
		memmove(&c->uid[at - 1], &c->uid[at], (c->n - at) * sizeof(*c->uid));
		c->n--;
	}
	CHECK(ch.has_new == (b->n > c->n));
	while (c->n < b->n)
		c->uid[c->n++] = 0;
	CHECK(c->n == b->n);
	if (!was_loaded && dice(3))
		return;
	OK(mailbox_load(b, &err));
	CHECK(c->n == b->n);
	for (size_t i = 0; i < b->n; i++) {
		CHECK(c->uid[i] == 0 || c->uid[i] == b->v[i].uid);
		CHECK(i == 0 || b->v[i].uid > b->v[i - 1].uid);
		c->uid[i] = b->v[i].uid;
	}
	for (size_t i = 0; i < ch.n_changed; i++)
		CHECK(ch.changed[i] >= 1 && ch.changed[i] <= b->n);
	if (may_expunge && was_loaded)
		check_disk(c);
}

static size_t choose(struct client *c, uint32_t *sel)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->b->n; i++)
		if (dice(4) == 0)
			sel[n++] = i;
	return n;
}

static void reopen(struct client *c)
{
	mailbox_close(&c->b);
	c->b = open_box(&fixture_store, "", 0);
	c->n = c->b->n;
	memset(c->uid, 0, c->n * sizeof(*c->uid));
}

static void act(struct client *c)
{
	static uint32_t sel[UIDS];
	struct mailbox_added added;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	uint32_t *uids;
	uint64_t since;
	size_t n, n_out;

	if (dice(20) == 0) {
		reopen(c);
		return;
	}
	OK(mailbox_load(c->b, &err));
	n = choose(c, sel);
	since = dice(3) ? UINT64_MAX : c->b->now.modseq;
	switch (dice(8)) {
	case 0:
		OK(mailbox_expunge(c->b, sel, n / 4, &err));
		break;
	case 1:
		append(&fixture_store, "", letter_text(n_letters++), dice(32));
		break;
	case 2:
		CHECK(mailbox_copy(c->b, sel, n / 4, "", dice(2), &added, &uids, &err) == 1);
		free(added.uids);
		free(uids);
		break;
	case 3:
		if (dice(3) == 0)
			OK(index_renew(fixture_store.index, &err));
		break;
	default:
		OK(mailbox_store(c->b, sel, n, dice(3), dice(64), since, &a, &uids, &n_out, &err));
		CHECK(n_out <= n && (since != UINT64_MAX || n_out == 0));
		arena_fini(&a);
	}
}

static void run(void)
{
	rng = 88172645463325252ull + seed * 7919;
	n_letters = 0;
	memset(letter_of_uid, 0, sizeof(letter_of_uid));
	for (int i = 0; i < 2; i++)
		reopen(&clients[i]);
	for (step = 0; step < STEPS; step++) {
		struct client *c = &clients[dice(2)];

		if (dice(2))
			stranger();
		if (dice(2))
			act(c);
		sync_client(c, dice(3) != 0);
	}
	for (int i = 0; i < 2; i++) {
		sync_client(&clients[i], true);
		mailbox_close(&clients[i].b);
	}
}

static void test_model(void **state)
{
	for (seed = 1; seed <= SEEDS; seed++) {
		run();
		fixture_teardown(NULL);
		fixture_setup(NULL);
		/* the last ones with the index in memory */
		if (seed + 3 >= SEEDS) {
			mail_store_close(&fixture_store);
			fixture_index = "MEMORY";
			fixture_open(&fixture_store);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
