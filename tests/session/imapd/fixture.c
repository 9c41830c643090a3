#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "imapd/park.h"
#include "imapd/session_read.h"

#define CHILD_FD 3

static void defaults(struct fixture *f)
{
	struct conf_errors errors = { 0 };
	struct conf c = { 0 };
	struct err err = ERR_INIT;

	BUG(conf_parse(&c, "test", SPAN_LIT(""), &errors) < 0);
	BUG(imapd_conf_read(&f->conf, &c, &f->arena, &err) < 0);
	conf_fini(&c);
	conf_errors_fini(&errors);
}

static void make(const char *dir, const char *sub)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	BUG(mkdir(path, 0700) < 0 && errno != EEXIST);
}

static void make_maildir(const char *dir)
{
	make(dir, "");
	make(dir, "tmp");
	make(dir, "new");
	make(dir, "cur");
}

void fixture_init(struct fixture *f)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	*f = (struct fixture){ 0 };
	defaults(f);
	snprintf(f->root, sizeof(f->root), "%s/imapcmd-XXXXXX", base);
	BUG(!mkdtemp(f->root));
	snprintf(f->mail, sizeof(f->mail), "%s/Maildir", f->root);
	make_maildir(f->mail);
	f->start = (struct child_start){ .user = "tito", .home = f->root, .mail = f->mail, .index = "", .session = "s1",
					.remote = "192.0.2.1", .tag = "a0", .watch_fd = -1, .conf = &f->conf };
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void fixture_empty(struct fixture *f)
{
	nftw(f->mail, rm_one, 20, FTW_DEPTH | FTW_PHYS);
	make_maildir(f->mail);
	f->n_letters = 0;
}

void fixture_fini(struct fixture *f)
{
	nftw(f->root, rm_one, 20, FTW_DEPTH | FTW_PHYS);
	arena_fini(&f->arena);
}

void fixture_letter(struct fixture *f, const char *folder, const char *flags, const char *subject)
{
	char dir[160], path[400];
	FILE *out;

	snprintf(dir, sizeof(dir), "%s/%s", f->mail, folder);
	make_maildir(dir);
	f->n_letters++;
	snprintf(path, sizeof(path), "%s/%s/%u.M1P1Q%u.host%s%s", dir, flags ? "cur" : "new", 1700000000 + f->n_letters,
		 f->n_letters, flags ? ":2," : "", flags ? flags : "");
	out = fopen(path, "w");
	BUG(!out);
	fprintf(out, "From: a@example.com\nTo: tito@example.com\nSubject: %s\nDate: Mon, 7 Feb 1994 21:52:25 -0800\n\n%s\n",
		subject, subject);
	BUG(fclose(out) != 0);
}

static void open_store(struct fixture *f, struct session *s)
{
	struct mail_store_options opt = { .home = f->root, .mail = f->start.mail, .index = f->start.index,
					  .host = "host",
					  .instance = 7, .quota = { f->quota, f->quota_messages } };
	struct err err = ERR_INIT;

	if (mail_store_open(&s->store, &opt, &err) < 0)
		log_fatal("%s", err.msg);
	/* their special uses, but none is made */
	s->store.folders = f->conf.mailbox_defaults;
}

static void to_fd(void *arg, enum log_level level, const char *line)
{
	dprintf(*(int *)arg, "%s\n", line);
}

static void serve_whole(struct fixture *f)
{
	struct session s;

	session_init(&s, CHILD_FD, &f->start);
	open_store(f, &s);
	session_run(&s);
	session_fini(&s);
	mail_store_close(&s.store);
}

/* What the session left; its client has the same number again. False: it is over. */
static bool take_parked(const struct session *s, int parent, struct arena *a, struct span *state_r)
{
	struct pair_park park;
	struct pair_msg m;
	char behind[PAIR_MAX];
	int fds[2];
	size_t n;

	if (!session_is_parked(s))
		return false;
	do
		BUG(pair_receive(parent, &m, fds, behind, &n) != 1);
	while (m.kind != PAIR_PARK);
	BUG(n < sizeof(park) || fds[0] < 0);
	memcpy(&park, behind, sizeof(park));
	BUG(dup2(fds[0], CHILD_FD) < 0);
	if (fds[0] != CHILD_FD)
		close(fds[0]);
	*state_r = span_from(arena_span(a, (struct span){ behind, n }), sizeof(park) + (size_t)park.words_n);
	return true;
}

/* As if every command were answered by a process of its own. */
static void serve_in_parts(struct fixture *f)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct child_start start = f->start;
	struct session s = { 0 };
	bool lives = true;
	int pair[2];

	BUG(pair_new(pair) < 0);
	while (lives) {
		session_init(&s, CHILD_FD, &start);
		open_store(f, &s);
		watch_init(&s.watch, pair[1]);
		if (session_begin(&s) == 0) {
			while (session_command(&s) == CMD_DONE) {
				if (session_flush(&s) < 0 || session_park(&s, SPAN_NULL) < 0)
					break;
			}
		}
		session_finish(&s);
		/* the session has closed its descriptor by then, the parent's copy takes its number */
		session_fini(&s);
		mail_store_close(&s.store);
		lives = take_parked(&s, pair[0], &f->arena, &start.state);
		start.input = SPAN_NULL;
		/* names of letters are of one process and a millisecond */
		nanosleep(&pause, NULL);
	}
}

pid_t fixture_serve(struct fixture *f, int fd, int log_fd, bool in_parts)
{
	pid_t pid = fork();

	BUG(pid < 0);
	if (pid == 0) {
		/* no other end of any pair, or nobody would see a hang-up */
		BUG(dup2(fd, 100) < 0 || dup2(log_fd, 101) < 0 || dup2(100, CHILD_FD) < 0 ||
		    dup2(101, CHILD_FD + 1) < 0);
		closefrom(CHILD_FD + 2);
		log_fd = CHILD_FD + 1;
		signal(SIGPIPE, SIG_IGN);
		log_set_sink(to_fd, &log_fd);
		if (in_parts)
			serve_in_parts(f);
		else
			serve_whole(f);
		_exit(0);       /* exit would move the transcript's file position, which is shared */
	}
	close(fd);
	close(log_fd);
	return pid;
}

static void to_nobody(void *arg, enum log_level level, const char *line)
{
}

void fixture_replay(struct fixture *f, struct span input, size_t chunk, struct str *output)
{
	struct session s;

	log_set_sink(to_nobody, NULL);
	session_init(&s, -1, &f->start);
	stream_init_mem(&s.io, input, chunk, output, s.io.in.max, s.io.out.max);
	open_store(f, &s);
	session_run(&s);
	session_fini(&s);
	mail_store_close(&s.store);
}
