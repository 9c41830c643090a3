/* mail_store.h: one user's mail: the Maildir with its folders, the index beside it, the quota; opened by a session */
#ifndef STORE_MAIL_STORE_H
#define STORE_MAIL_STORE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/index.h"
#include "store/maildir.h"
#include "store/quota.h"

struct mail_store_options {
	const char *home;               /* where the user's own folders begin, or "" */
	const char *mail;               /* the Maildir, absolute */
	const char *index;              /* directory that holds INDEX_DIR instead, "" beside the Maildir, "MEMORY" */
	const char *host;               /* for base names */
	uint64_t instance;
	struct quota_limit quota;
	bool is_suspect;                /* see index.h */
};

/* Caller's memory. */
struct mail_store {
	struct maildir root;            /* of INBOX */
	int index_dir;
	struct index *index;
	struct quota_limit quota;
	const char *host;
	const char *folders;            /* mailbox_defaults, for special uses; set by folder_defaults, borrowed */
	uint64_t last_ms;               /* for unique base names */
	unsigned n_names;
	bool is_index_broken;           /* a call of index.h has failed since mail_store_mend */
	struct arena arena;
};

/* Opens the Maildir, made with its missing directories, and the index. As the user, before Landlock where `mail` does
 * not exist yet. -1 ERR_SYS, ERR_CONF. Blocks. Source: mail_store.c */
int mail_store_open(struct mail_store *s, const struct mail_store_options *opt, struct err *err) WARN_UNUSED;
void mail_store_close(struct mail_store *s);

/* The index in use; opened again after a rest. Never NULL. Source: mail_store.c */
struct index *mail_store_index(struct mail_store *s);

/* Passes on what a call of index.h answered, and remembers when it failed. */
static inline int mail_store_idx(struct mail_store *s, int rc)
{
	s->is_index_broken = s->is_index_broken || rc < 0;
	return rc;
}

/* For the end of a loop of attempts, *turn 0 at first: true when the index was what failed; it has been renewed, and
 * another attempt is worth while. No transaction may be open. Source: mail_store.c */
bool mail_store_mend(struct mail_store *s, unsigned *turn);

/* Opens the directories of a folder: "" is INBOX, ".Sent" or ".a.b" is below. 1 ok, 0 there is no such folder, -1
 * ERR_SYS. A folder without cur/ or new/ gets them. Symbolic links are refused. Blocks.
 * Source: mail_store.c */
int mail_store_dir(struct mail_store *s, const char *folder, struct maildir *md_r, struct err *err) WARN_UNUSED;

/* A base name for a new message, unique on this host: "SECONDS.M<ms>P<pid>Q<n>.HOST,S=<size>,W=<vsize>"; into buf. A
 * size of UINT64_MAX is left out. Source: mail_store.c */
void mail_store_name(struct mail_store *s, char buf[256], uint64_t size, uint64_t vsize);

#endif
