/* pop3d behind the login: any bytes of a client on a small Maildir; what it says must be lines, and count true. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/params.h"
#include "pop3d/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct { const char *name, *text; } letters[] = {
	{ "new/1.a", "A: one\n\n.dot\nline\n" }, { "cur/2.b,S=15,W=17:2,F", "A: two\n\n..\nx\n.\n" },
	{ "cur/3.c:2,S", "A: three\r\n\r\ny\r\nz" }, { "cur/4.d:2,", "" }, { "new/5.e", "\n.\n" },
};

static char root[64], mail[80];
static struct pop3d_conf conf;

static void no_log(void *arg, enum log_level level, const char *line)
{
}

static void empty(const char *folder)
{
	char path[200];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", mail, folder);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

/* The letters as they were; a session deletes and renames. */
static void fill(void)
{
	static const char *const folders[] = { "", "new", "cur", "tmp" };
	char path[200];
	size_t i;

	for (i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", mail, folders[i]);
		(void)mkdir(path, 0700);
		if (i)
			empty(folders[i]);
	}
	for (i = 0; i < ARRAY_LEN(letters); i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", mail, letters[i].name);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		BUG(fd < 0 || write(fd, letters[i].text, strlen(letters[i].text)) != (ssize_t)strlen(letters[i].text));
		close(fd);
	}
}

static void clean_up(void)
{
	static const char *const rest[] = { "/Maildir/new", "/Maildir/cur", "/Maildir/tmp", "/Maildir", "" };
	char path[200];
	size_t i;

	empty("new");
	empty("cur");
	empty(".");
	for (i = 0; i < ARRAY_LEN(rest); i++) {
		snprintf(path, sizeof(path), "%s%s", root, rest[i]);
		(void)rmdir(path);
	}
}

static void start(void)
{
	struct conf_errors errors = { 0 };
	static struct arena arena;
	struct conf c = { 0 };
	struct err err = ERR_INIT;

	if (root[0])
		return;
	snprintf(root, sizeof(root), "/dev/shm/surat-fuzz-pop3-XXXXXX");
	BUG(!mkdtemp(root));
	atexit(clean_up);
	snprintf(mail, sizeof(mail), "%s/Maildir", root);
	BUG(conf_parse(&c, "test", SPAN_LIT(""), &errors) < 0 || pop3d_conf_read(&conf, &c, &arena, &err) < 0);
	conf_fini(&c);
	conf_errors_fini(&errors);
}

static void check(struct span out)
{
	size_t i;

	for (i = 0; i < out.n; i++)
		BUG((out.p[i] == '\n') != (i > 0 && out.p[i - 1] == '\r'));
	BUG(out.n && out.p[out.n - 1] != '\n');
	BUG(out.n && out.p[0] != '+' && out.p[0] != '-');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct span input = { (const char *)data + (n ? 1 : 0), n ? n - 1 : 0 };
	const struct child_start begin = { .user = "tito", .session = "S", .index = "", .conf = &conf };
	struct str out = STR_INIT(1 << 26);
	struct err err = ERR_INIT;
	struct mail_store_options opt = { .home = root, .mail = mail, .index = "MEMORY", .host = "host" };
	struct maildrop box = MAILDROP_INIT;
	struct session s = { .box = &box, .start = &begin, .conf = &conf, .idle_ms = 1000 };

	start();
	log_set_sink(no_log, NULL);
	fill();
	BUG(maildrop_open(&box, &opt, &err) < 0);
	stream_init_mem(&s.io, input, n && data[0] % 8 ? data[0] % 8u * 5 : 0, &out, 16384, 1 << 18);
	session_serve(&s);
	stream_fini(&s.io);
	check(str_span(&out));
	maildrop_close(&box);
	str_fini(&out);
	return 0;
}
