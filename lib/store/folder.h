/* folder.h: the folders of a Maildir++: names, listing, making, removing, renaming, subscriptions
 *
 * A name here is what stands on disk without the first dot, in modified UTF-7 with '.' between levels: "Sent", "a.b"; INBOX
 * is "INBOX". folder_dir gives the directory (".Sent", "" for INBOX) that mailbox.h wants.
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

/* -1 ERR_PERM, with words for the client, unless name may be a folder: no empty level, no "/", no "..", no control bytes,
 * canonical modified UTF-7, not too long or deep. INBOX in any case is INBOX; below it ("INBOX.x") is a folder like others.
 * Source: folder_name.c */
int folder_name_check(struct span name, struct err *err) WARN_UNUSED;

/* The directory of a checked name, in a. Source: folder_name.c */
const char *folder_dir(struct arena *a, struct span name);

/* All folders, with special uses and subscriptions; subscribed ones that do not exist are in it. One readdir. Memory of a.
 * Source: folder_list.c */
int folder_list(struct mail_store *s, struct arena *a, struct folder_list *l_r, struct err *err) WARN_UNUSED;

/* 1 it exists, 0 not, -1. Source: folder_list.c */
int folder_exists(struct mail_store *s, struct span name, struct err *err) WARN_UNUSED;

/* Durable on return. Answers: 0 done; -1 ERR_PERM with words for the client (exists already, does not exist, INBOX cannot be
 * removed), else ERR_SYS. Making a.b makes no folder a. Removing a with a.b left keeps a.b. Renaming moves children too, and
 * renaming INBOX moves its letters (RFC 3501 section 6.3.5). Subscriptions do not follow. UIDVALIDITY of a folder made again under an old
 * name is higher. use: special use it gets (CREATE-SPECIAL-USE), 0 none. Source: folder_edit.c */
int folder_create(struct mail_store *s, struct span name, unsigned use, struct err *err) WARN_UNUSED;
int folder_delete(struct mail_store *s, struct span name, struct err *err) WARN_UNUSED;
int folder_rename(struct mail_store *s, struct span from, struct span to, struct err *err) WARN_UNUSED;

/* The file "subscriptions", as Dovecot keeps it; durable, replaced by rename under its lock. Adding twice or removing what is not
 * there is no error. Source: folder_subs.c */
int folder_subscribe(struct mail_store *s, struct span name, bool on, struct err *err) WARN_UNUSED;

/* First login: makes and subscribes what mailbox_defaults says (name and use, "Sent:\\Sent Junk:\\Junk ..."), once.
 * Source: folder_defaults.c */
int folder_defaults(struct mail_store *s, const char *spec, struct err *err) WARN_UNUSED;

#endif
