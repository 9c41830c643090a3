/* folder.h: the folders of a Maildir++: names, listing, making, removing, renaming, subscriptions
 *
 * A name here is what stands on disk without the first dot, in modified UTF-7 with '.' between levels: "Sent",
 * "a.b"; INBOX is "INBOX". folder_dir gives the directory (".Sent", "" for INBOX) that mailbox.h wants.
 */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "store/mail_store.h"

#define FOLDER_SEP '.'
#define FOLDER_NAME_MAX 255             /* bytes of a name on disk, the first dot included */
#define FOLDER_DEPTH_MAX 64

struct folder {
	const char *name;
	bool exists;                    /* false: only a parent of others, or only subscribed */
	bool is_subscribed;
	bool has_children;
	unsigned special;               /* enum folder_use */
};

enum folder_use { FOLDER_DRAFTS = 1, FOLDER_SENT = 2, FOLDER_JUNK = 4, FOLDER_TRASH = 8, FOLDER_ARCHIVE = 16, FOLDER_FLAGGED = 32,
		  FOLDER_ALL = 64 };

struct folder_list {
	struct folder *v;               /* by name, INBOX first; parents that do not exist are listed too */
	size_t n;
};

/* Errors with kind ERR_PERM are the client's: the words begin with a response code of RFC 5530, "[CANNOT] ...", fit
 * to follow NO. All other kinds mean that the store could not do it now. Everything here blocks, but for the names. */

/* -1 ERR_PERM [CANNOT] unless name may be a folder: no empty level, no "/", no control bytes, canonical modified
 * UTF-7, not too long or deep. INBOX in any case is INBOX; below it only "INBOX.x" in capitals is a folder, like
 * others. Source: folder_name.c */
int folder_name_check(struct span name, struct err *err) WARN_UNUSED;

/* INBOX in any case. Source: folder_name.c */
bool folder_is_inbox(struct span name);

/* The directory of a checked name, in a. Source: folder_name.c */
const char *folder_dir(struct arena *a, struct span name);

/* Order of folder_list: level by level, INBOX before all others; as for qsort. Source: folder_name.c */
int folder_name_cmp(struct span a, struct span b);

/* name is below parent. Source: folder_name.c */
bool folder_is_below(struct span name, struct span parent);

/* "\Sent" for FOLDER_SENT, NULL for a bit that nobody knows; and back, any case, 0: unknown. Source: folder_name.c */
const char *folder_use_name(enum folder_use use);
unsigned folder_use_parse(struct span name);

/* All folders, with special uses and subscriptions; subscribed ones that do not exist are in it, and so are the
 * parents of all. One readdir. Directories whose names are no folder names are left out. Memory of a. Source:
 * folder_list.c */
int folder_list(struct mail_store *s, struct arena *a, struct folder_list *l_r, struct err *err) WARN_UNUSED;

/* The folder in the list, or NULL. Source: folder_list.c */
const struct folder *folder_find(const struct folder_list *l, struct span name);

/* 1 it exists, 0 not, -1. Source: folder_list.c */
int folder_exists(struct mail_store *s, struct span name, struct err *err) WARN_UNUSED;

/* Durable on return. ERR_PERM: [ALREADYEXISTS], [NONEXISTENT], [CANNOT], [USEATTR] (RFC 6154 section 3). Making a.b
 * makes no folder a. Removing a with a.b left keeps a.b. Renaming moves children too, and renaming INBOX moves its
 * letters (RFC 3501 section 6.3.5). Subscriptions do not follow, special uses given by use do. UIDVALIDITY of a
 * folder made again under an old name is higher. use: special uses it gets (CREATE-SPECIAL-USE), 0 none; one that an
 * existing folder has is refused. Source: folder_edit.c */
int folder_create(struct mail_store *s, struct span name, unsigned use, struct err *err) WARN_UNUSED;
int folder_delete(struct mail_store *s, struct span name, struct err *err) WARN_UNUSED;
int folder_rename(struct mail_store *s, struct span from, struct span to, struct err *err) WARN_UNUSED;

/* The file "subscriptions", as Dovecot keeps it; durable, replaced by rename under its lock. Adding twice or
 * removing what is not there is no error. Source: folder_subs.c */
int folder_subscribe(struct mail_store *s, struct span name, bool on, struct err *err) WARN_UNUSED;

/* Every session calls it before folder_list: says which folders have which special use (spec is kept by reference),
 * and at first login makes and subscribes them, each once: what the user removes stays away. spec is mailbox_defaults,
 * "Sent:\Sent \"Sent Items\" Junk:\Junk"; names in UTF-8. -1 ERR_CONF or ERR_SYS: it goes without. Source:
 * folder_defaults.c */
int folder_defaults(struct mail_store *s, const char *spec, struct err *err) WARN_UNUSED;

/* ERR_CONF unless spec can be read. Source: folder_defaults.c */
int folder_defaults_check(const char *spec, struct err *err) WARN_UNUSED;

#endif
