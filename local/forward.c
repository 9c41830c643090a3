#include "local/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/macro.h"
#include "local/names.h"
#include "proto/address.h"
#include "proto/aliases.h"
#include "svc/msg_queue.h"

#define FORWARD_FILE_MAX (64 * 1024)
#define INCLUDE_FILE_MAX (1024 * 1024)

/* ---- forward_path ---- */

struct conf_list forward_paths(const struct settings *s, const struct child_rcpt *r, struct arena *a)
{
	struct names n = { s, r, .home = r->home, .param = "forward_path" };
	struct span rest = span_z(s->local.forward_path), word;
	struct conf_list list = { arena_alloc(a, (rest.n / 2 + 1) * sizeof(char *)), 0 };
	struct str path = STR_INIT(4000);

	while (macro_word(&rest, &word)) {
		struct err err = ERR_INIT;

		str_reset(&path);
		/* A name without a value: this file is for addresses with an extension. */
		if (macro_expand(&path, word, names_value, &n, &err) == 0 && path.p[0] == '/')
			list.v[list.n++] = arena_strndup(a, path.p, path.n);
	}
	str_fini(&path);
	return list;
}

/* ---- reading ---- */

static const char *what_is_unsafe(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return "owned by somebody else";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "writable by others";
	return NULL;
}

static int read_all(int fd, size_t max, const char *path, struct str *out, struct err *err)
{
	for (;;) {
		char *p = str_room(out, 16384);
		ssize_t n = p ? read(fd, p, 16384) : 0;

		if (!p || out->n + (size_t)(n > 0 ? n : 0) > max)
			return err_set(err, ERR_CONF, "%s is larger than %zu bytes", path, max);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "cannot read %s", path);
		if (n == 0)
			return 1;
		if (n > 0)
			str_grew(out, (size_t)n);
	}
}

/* 1: read; 0: not there, or (then *unsafe_r says why) not to be trusted; -1. */
static int read_file(const char *path, size_t max, struct str *out, const char **unsafe_r, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), rc;
	struct stat st;

	*unsafe_r = NULL;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 && errno == ELOOP) {
		*unsafe_r = "a symbolic link";
		return 0;
	}
	if (fd < 0)
		return err_sys(err, "cannot open %s", path);
	if (fstat(fd, &st) < 0) {
		rc = err_sys(err, "cannot look at %s", path);
	} else {
		*unsafe_r = what_is_unsafe(&st);
		rc = *unsafe_r ? 0 : read_all(fd, max, path, out, err);
	}
	close(fd);
	return rc;
}

/* ---- what the list says ---- */

struct gather {
	const struct settings *s;
	const struct child_rcpt *r;
	struct arena *a;
	const char *source;             /* "forward", "include" */
	bool extends;                   /* addresses get the recipient's extension */
	struct forward *f;
	size_t cap, bytes, n_restricted;
};

static struct span without_extension(const struct settings *s, struct span local)
{
	size_t n = 0;

	while (n < local.n && (n == 0 || !strchr(s->global.recipient_delimiter, local.p[n])))
		n++;
	return span_sub(local, 0, n);
}

static bool is_own_domain(const struct gather *g, struct span domain)
{
	struct span local, here;

	address_split(g->r->delivered, &local, &here);
	return domain.n == 0 || span_same_nocase(domain, here) ||
	       span_eq_nocase(domain, g->s->global.myhostname) || conf_list_has(&g->s->global.mydestination, domain);
}

static bool is_self(const struct gather *g, struct span address)
{
	struct span local, domain;

	address_split(address, &local, &domain);
	return g->r->user.n > 0 && is_own_domain(g, domain) &&
	       (span_same_nocase(local, g->r->user) || span_same_nocase(without_extension(g->s, local), g->r->user));
}

/* The transport that returns the letter for a member that may not be there, NULL for one that may. */
static const char *restricted(const struct gather *g, enum rcpt_kind kind)
{
	if (settings_may_name(g->s, span_z(g->source), kind))
		return NULL;
	return kind == RCPT_COMMAND ? ROUTE_NO_COMMAND : ROUTE_NO_FILE;
}

/* user@domain as user+extension@domain. */
static struct span with_extension(const struct gather *g, struct span address)
{
	struct span local, domain;

	address_split(address, &local, &domain);
	return span_z(arena_printf(g->a, "%.*s%.*s%.*s%.*s", SPAN_ARG(local), SPAN_ARG(names_delimiter(g->s, g->r)),
				   SPAN_ARG(g->r->extension), SPAN_ARG(span_from(address, local.n))));
}

static int add_member(struct gather *g, struct route_new member, struct err *err)
{
	struct route_new *v = (struct route_new *)(uintptr_t)g->f->news.v;

	g->bytes += member.address.n + member.via.n + g->r->user.n + 32;
	if (g->bytes > FORWARD_NEWS_MAX)
		return err_set(err, ERR_CONF, "the list has more than %d bytes of addresses", FORWARD_NEWS_MAX);
	if (g->f->news.n == g->cap) {
		struct route_new *bigger;

		g->cap = g->cap ? g->cap * 2 : 8;
		bigger = arena_alloc(g->a, g->cap * sizeof(*bigger));
		if (g->f->news.n)
			memcpy(bigger, v, g->f->news.n * sizeof(*bigger));
		g->f->news.v = v = bigger;
	}
	v[g->f->news.n++] = member;
	return 0;
}

static int on_dest(void *arg, enum aliases_kind kind, struct span text, struct err *err)
{
	static const enum rcpt_kind kinds[] = { RCPT_ADDRESS, RCPT_COMMAND, RCPT_FILE, RCPT_INCLUDE };
	struct gather *g = arg;
	const char *via = restricted(g, kinds[kind]);

	/* as in Postfix the others get the letter, and the sender hears of this one */
	if (via) {
		g->n_restricted++;
		return add_member(g, (struct route_new){ .address = g->r->delivered, .kind = RCPT_ADDRESS,
							 .via = span_z(via) }, err);
	}
	if (kind == ALIASES_ADDRESS && is_self(g, text)) {
		g->f->has_self = true;
		return 0;
	}
	if (kind == ALIASES_FILE && span_starts(text, "~/"))
		text = span_z(arena_printf(g->a, "%.*s%.*s", SPAN_ARG(g->r->home), SPAN_ARG(span_from(text, 1))));
	if (kind == ALIASES_ADDRESS && g->extends)
		text = with_extension(g, text);
	return add_member(g, (struct route_new){ .address = text, .kind = kinds[kind],
						 .as_user = kind == ALIASES_ADDRESS ? SPAN_NULL : g->r->user }, err);
}

static int take_list(struct gather *g, const char *path, struct span text, struct err *err)
{
	*g->f = (struct forward){ 0 };
	if (aliases_parse_file(text, g->a, on_dest, g, err) < 0)
		return err_wrap(err, "%s", path);
	if (g->n_restricted && g->n_restricted == g->f->news.n && !g->f->has_self)
		return err_dsn(err, ERR_PERM, "5.7.1", "%s",
			       arena_strdup(g->a, ((const struct route_new *)g->f->news.v)->via.p + sizeof("error:5.7.1")));
	return 0;
}

/* A file that is for addresses with an extension has made use of it. */
static bool has_used_extension(const struct settings *s, const struct child_rcpt *r, const char *path, struct arena *a)
{
	struct child_rcpt plain = *r;
	struct conf_list paths;

	plain.extension = SPAN_NULL;
	paths = forward_paths(s, &plain, a);
	return !conf_list_has(&paths, span_z(path));
}

int forward_read(const struct settings *s, const struct child_rcpt *r, struct arena *a, struct forward *out_r,
		 struct err *err)
{
	bool extends = r->extension.n && s->global.recipient_delimiter[0] &&
		       conf_list_has(&s->local.propagate_unmatched_extensions, SPAN_LIT("forward"));
	struct conf_list paths = forward_paths(s, r, a);
	struct str text = STR_INIT(FORWARD_FILE_MAX + 16384);
	int rc = 0;

	for (size_t i = 0; i < paths.n && rc == 0; i++) {
		struct gather g = { .s = s, .r = r, .a = a, .source = "forward", .f = out_r };
		const char *unsafe;

		g.extends = extends && !has_used_extension(s, r, paths.v[i], a);
		rc = read_file(paths.v[i], FORWARD_FILE_MAX, &text, &unsafe, err);
		if (unsafe)
			log_warn("%s is %s: ignored", paths.v[i], unsafe);
		if (rc > 0 && take_list(&g, paths.v[i], str_span(&text), err) < 0)
			rc = -1;
		/* A file that names nobody is as good as none. */
		if (rc > 0 && out_r->news.n == 0 && !out_r->has_self)
			rc = 0;
		str_reset(&text);
	}
	str_fini(&text);
	return rc;
}

int forward_include(const struct settings *s, const struct child_rcpt *r, struct arena *a, struct forward *out_r,
		    struct err *err)
{
	struct gather g = { .s = s, .r = r, .a = a, .source = "include", .f = out_r };
	struct str text = STR_INIT(INCLUDE_FILE_MAX + 16384);
	const char *path = arena_strndup(a, r->address.p, r->address.n), *unsafe;
	int rc = read_file(path, INCLUDE_FILE_MAX, &text, &unsafe, err);

	if (rc == 0)
		rc = err_dsn(err, ERR_TEMP, "4.3.5", ":include: file %s is %s", path, unsafe ? unsafe : "not there");
	else if (rc > 0)
		rc = take_list(&g, path, str_span(&text), err);
	str_fini(&text);
	return rc;
}
