/* What an index costs: a folder of N messages (100000) below DIR; milliseconds of CPU and of the clock for each row. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/mail_store.h"
#include "store/mailbox.h"

#define SOURCES 20

static char root[256], mail[300];
static struct mail_store store;
static struct mailbox *box;
static uint32_t *sel;
static size_t n_sel;
static double cpu_0, wall_0;

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "bench_mailbox: %s: %s\n", what, err ? err->msg : strerror(errno));
	exit(1);
}

#define DO(call)                        \
	do {                            \
		if ((call) < 0)         \
			die(#call, &err); \
	} while (0)

static double cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static double wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void start(void)
{
	wall_0 = wall_ms();
	cpu_0 = cpu_ms();
}

static void stop(const char *label, int times)
{
	printf("%-44s %9.3f ms CPU %9.3f ms\n", label, (cpu_ms() - cpu_0) / times, (wall_ms() - wall_0) / times);
	fflush(stdout);
}

static void put(const char *path)
{
	static const char text[] = "From: Ann <ann@example.com>\nTo: Bob <bob@example.com>\nSubject: letter\n"
				   "Date: Mon, 1 Jan 2024 10:00:00 +0000\nMessage-ID: <1@example.com>\n\nDear Bob\n";
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || write(fd, text, sizeof(text) - 1) < 0)
		die(path, NULL);
	close(fd);
}

static void make_files(size_t n)
{
	char path[400], to[400];

	for (size_t i = 0; i < SOURCES; i++) {
		snprintf(path, sizeof(path), "%s/source%zu", root, i);
		put(path);
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/source%zu", root, i % SOURCES);
		snprintf(to, sizeof(to), "%s/cur/%zu.M%zuP99.host.example.com,S=165,W=172:2,%s", mail, 1600000000 + i,
			 i % 1000,
			 i % 10 ? "S" : "");
		if (link(path, to) < 0)
			die(to, NULL);
	}
}

static void open_store(void)
{
	struct mail_store_options opt = { .home = "", .mail = mail, .index = "", .host = "bench", .instance = 1 };
	struct err err = ERR_INIT;

	DO(mail_store_open(&store, &opt, &err));
}

static void open_box(void)
{
	struct err err = ERR_INIT;

	DO(mailbox_open(&box, &store, "", 0, &err));
}

static void set_flags(const uint32_t *v, size_t n, enum mailbox_store_how how)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	uint32_t *modified;
	size_t n_modified;

	DO(mailbox_store(box, v, n, how, INDEX_FLAGGED, UINT64_MAX, &a, &modified, &n_modified, &err));
	arena_fini(&a);
}

static void sync_box(void)
{
	struct mailbox_changes ch;
	struct err err = ERR_INIT;

	DO(mailbox_sync(box, true, &ch, &err));
}

static bool each(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k,
		 const struct mail_body *body)
{
	*(size_t *)arg += k ? k->subject.n : body ? body->envelope.n : m->flags;
	return true;
}

static void walk(const char *label, unsigned what)
{
	struct err err = ERR_INIT;
	size_t sum = 0;

	start();
	DO(mailbox_walk(box, sel, n_sel, what, each, &sum, &err));
	stop(label, 1);
}

static void opening(void)
{
	struct err err = ERR_INIT;
	uint32_t one = 5;

	start();
	open_box();
	stop("first open, no index", 1);
	mailbox_close(&box);
	nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
	open_box();
	mailbox_close(&box);
	start();
	for (int i = 0; i < 100; i++) {
		open_box();
		mailbox_close(&box);
	}
	stop("open, settled", 100);
	open_box();
	start();
	DO(mailbox_load(box, &err));
	stop("load", 1);
	start();
	for (int i = 0; i < 100; i++)
		set_flags(&one, 1, i % 2 ? MAILBOX_REMOVE : MAILBOX_ADD);
	stop("one flag change", 100);
	start();
	for (int i = 0; i < 100; i++)
		sync_box();
	stop("sync, nothing changed", 100);
	start();
	for (int i = 0; i < 20; i++) {
		set_flags(&one, 1, i % 2 ? MAILBOX_REMOVE : MAILBOX_ADD);
		mailbox_close(&box);
		open_box();
		if (i < 19)
			DO(mailbox_load(box, &err));
	}
	stop("flag change, open (and load)", 20);
	mailbox_close(&box);
	start();
	open_box();
	stop("open after one own change", 1);
	DO(mailbox_load(box, &err));
}

static void arriving(void)
{
	char path[400];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/new/180000000%d.M1P9.host", mail, i);
		put(path);
		start();
		sync_box();
		stop("sync after one delivery", 1);
	}
	snprintf(path, sizeof(path), "%s/new/1900000000.M1P9.host", mail);
	put(path);
	mailbox_close(&box);
	start();
	open_box();
	stop("open after one delivery", 1);
}

static void reading(void)
{
	struct err err = ERR_INIT;

	DO(mailbox_load(box, &err));
	sel = calloc(box->n, sizeof(*sel));
	for (n_sel = 0; n_sel < box->n; n_sel++)
		sel[n_sel] = (uint32_t)n_sel;
	start();
	DO(mailbox_ensure(box, sel, n_sel, &err));
	stop("records of all, cold", 1);
	walk("walk, facts", MAILBOX_FACTS);
	walk("walk, keys", MAILBOX_KEYS);
	walk("walk, facts and keys", MAILBOX_FACTS | MAILBOX_KEYS);
	walk("walk, body", MAILBOX_BODY);
}

static void changing(void)
{
	struct mailbox_added added;
	struct err err = ERR_INIT;
	uint32_t *from;
	char path[400];
	static const char *const names[] = { "", "/cur", "/new", "/tmp" };
	size_t n = n_sel < 10000 ? n_sel : 10000;

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/.Copy%s", mail, names[i]);
		(void)!mkdir(path, 0700);
	}
	start();
	DO(mailbox_copy(box, sel, n, ".Copy", false, &added, &from, &err));
	stop("copy 10,000", 1);
	free(added.uids);
	free(from);
	start();
	set_flags(sel, n, MAILBOX_ADD);
	stop("flags of 10,000", 1);
	start();
	DO(mailbox_expunge(box, sel, n, &err));
	stop("expunge 10,000", 1);
	start();
	sync_box();
	stop("sync after it", 1);
	start();
	DO(mailbox_copy(box, sel, n, ".Copy", true, &added, &from, &err));
	stop("move 10,000", 1);
	free(added.uids);
	free(from);
	snprintf(path, sizeof(path), "%s/cur/1.foreign:2,S", mail);
	put(path);
	start();
	sync_box();
	stop("sync after a file came into cur/", 1);
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	snprintf(root, sizeof(root), "%s/bench-mailbox-XXXXXX", argc > 2 ? argv[2] : "/tmp");
	if (!mkdtemp(root))
		die(root, NULL);
	snprintf(mail, sizeof(mail), "%s/Maildir", root);
	open_store();
	make_files(argc > 1 ? strtoul(argv[1], NULL, 10) : 100000);
	opening();
	arriving();
	reading();
	changing();
	mailbox_close(&box);
	mail_store_close(&store);
	return nftw(root, rm_one, 8, FTW_DEPTH | FTW_PHYS) < 0;
}
