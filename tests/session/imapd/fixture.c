#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/log.h"
#include "conf/conf.h"

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
	f->start = (struct imap_start){ .user = "tito", .home = f->root, .mail = f->mail, .index = "", .session = "s1",
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
					  .instance = 7, .quota = f->quota };
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

pid_t fixture_serve(struct fixture *f, int fd, int log_fd)
{
	static struct session s;
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
		session_init(&s, CHILD_FD, &f->start);
		open_store(f, &s);
		session_run(&s);
		session_fini(&s);
		mail_store_close(&s.store);
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
