/* mail_location.h: Dovecot's mail_location: from "maildir:~/Maildir:INDEX=..." and an account to paths */
#ifndef STORE_MAIL_LOCATION_H
#define STORE_MAIL_LOCATION_H

#include "base/arena.h"
#include "base/err.h"
#include "store/account.h"
#include "store/maildir.h"

#define MAIL_LOCATION_DEFAULT "maildir:~/Maildir"

struct mail_location {
	const char *path;       /* the Maildir: absolute, no trailing slash */
	const char *index;      /* absolute; NULL for beside the Maildir, "MEMORY" for none on disk */
};

/* Appends template with %u (whole name), %n (before @), %d (after @, may be empty), %h (home), %% and a leading ~/
 * expanded; %{user}, %{username}, %{domain} and %{home} are the same. Before the letter or brace may stand an offset and
 * a width as in %1n, %2.1n and %-2.2n, and L or U for case. -1 ERR_CONF for another variable, or for %h and ~ when home is
 * NULL. name must be folded: then no value brings '/' or a whole ".." of its own; the caller checks the path.
 * Source: mail_location.c */
int mail_location_vars(struct str *out, struct span template, struct span name, const char *home, struct err *err)
	WARN_UNUSED;

/* The paths of a's mail, from a->mail, else template, else MAIL_LOCATION_DEFAULT; a relative path is below the home.
 * Results live in arena. -1 ERR_CONF for another format than maildir, an unknown option, or a path with "..".
 * Source: mail_location.c */
int mail_location_expand(struct mail_location *out_r, const struct account *a, const char *template,
			 struct arena *arena, struct err *err) WARN_UNUSED;

/* Opens the Maildir at the absolute path mail, made with its missing folders if need be. What exists above it, or home
 * with all above, comes from configuration and is taken as it is; below, links are not followed. home: where the user's
 * own folders begin, or "". -1 ERR_SYS, ERR_CONF. Source: mail_location.c */
int mail_location_open(struct maildir *md, const char *home, const char *mail, struct err *err) WARN_UNUSED;

#endif
