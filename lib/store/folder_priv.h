/* folder_priv.h: what the files of folder.h share: subscriptions, marks, directories on their way in and out */
#ifndef STORE_FOLDER_PRIV_H
#define STORE_FOLDER_PRIV_H

#include "base/str.h"
#include "store/folder.h"

#define FOLDER_SUBS_NAME "subscriptions"
#define FOLDER_MARKS_NAME "surat-folders"
#define FOLDER_TEXT_MAX (16u << 20)     /* bytes of either file */
#define FOLDER_LOCK_WAIT_MS 20000

/* ---- subscriptions ---- */

struct folder_sub {
	struct span line;               /* as it stands in the file */
	struct span name;               /* n 0: no folder can have that name; the line is kept */
};

/* Points into the text. */
struct folder_subs {
	struct span header;             /* of version 2, with its empty line; or n 0: version 1, or no file */
	bool is_tabbed;                 /* version 2: a tab between levels */
	struct folder_sub *v;
	size_t n;
};

/* Never fails; memory of a. Source: folder_subs.c */
void folder_subs_parse(struct arena *a, struct span text, struct folder_subs *out_r);

/* Appends the file's text without what is in drop and with what is in add and not there. -1: out's limit.
 * Source: folder_subs.c */
int folder_subs_format(const struct folder_subs *subs, const struct span *add, size_t n_add, const struct span *drop,
		       size_t n_drop, struct str *out) WARN_UNUSED;

/* What the file says; text holds its bytes. Source: folder_subs.c */
int folder_subs_read(struct mail_store *s, struct arena *a, struct str *text, struct folder_subs *out_r,
		     struct err *err) WARN_UNUSED;

/* Subscribes to n checked names at once. Source: folder_subs.c */
int folder_subs_add(struct mail_store *s, const struct span *names, size_t n, struct err *err) WARN_UNUSED;

/* ---- marks: what no file of Dovecot says of a folder ---- */

struct folder_mark {
	struct span name;
	unsigned uses;                  /* enum folder_use: given by CREATE-SPECIAL-USE */
	bool is_made;                   /* mailbox_defaults was followed for it, never again */
};

/* In an arena. */
struct folder_marks {
	struct folder_mark *v;
	size_t n, cap;
};

/* Never fails: lines that make no sense are left out. Source: folder_marks.c */
void folder_marks_parse(struct arena *a, struct span text, struct folder_marks *out_r);
int folder_marks_format(const struct folder_marks *m, struct str *out) WARN_UNUSED;

/* The mark of name, made when add; else NULL when there is none. Source: folder_marks.c */
struct folder_mark *folder_marks_get(struct arena *a, struct folder_marks *m, struct span name, bool add);

/* What the file says; a missing one says nothing. Source: folder_marks.c */
int folder_marks_read(struct mail_store *s, struct arena *a, struct folder_marks *out_r, struct err *err) WARN_UNUSED;

/* Changes the file under its lock, durably; fn says false to leave it as it is. Source: folder_marks.c */
typedef bool folder_marks_fn(void *arg, struct arena *a, struct folder_marks *m);
int folder_marks_edit(struct mail_store *s, folder_marks_fn *fn, void *arg, struct err *err) WARN_UNUSED;

/* The existing folder that has a special use: marked, else configured; n 0: none. In a. Source: folder_defaults.c */
struct span folder_use_holder(struct mail_store *s, struct arena *a, const struct folder_marks *m, unsigned use);

/* ---- directories ---- */

/* A folder, whole, under a name that no reader of Maildir++ takes for one; validity 0 leaves its UIDs to the first
 * session. In a. NULL: err. Source: folder_tree.c */
const char *folder_tree_stage(struct mail_store *s, struct arena *a, uint32_t validity, struct err *err);

/* Gives the staged folder its name; ERR_PERM [ALREADYEXISTS]. The caller syncs the root. Source: folder_tree.c */
int folder_tree_publish(struct mail_store *s, const char *stage, const char *dir, struct err *err) WARN_UNUSED;

/* Takes the folder away from all readers, durably. 1, 0 there is none, -1. *gone_r in a. Source: folder_tree.c */
int folder_tree_hide(struct mail_store *s, struct arena *a, const char *dir, const char **gone_r, struct err *err) WARN_UNUSED;

/* Removes a staged or hidden folder, and counts what it held out of the quota when it was hidden. What cannot be
 * removed stays for the next sweep. Source: folder_tree.c */
void folder_tree_remove(struct mail_store *s, const char *name);

/* Removes what a crash left. Source: folder_tree.c */
void folder_tree_sweep(struct mail_store *s);

/* 1 dir (".Sent") is a directory of this Maildir, 0 not, -1. Source: folder_tree.c */
int folder_tree_has(struct mail_store *s, const char *dir, struct err *err) WARN_UNUSED;

#endif
