/* session.h: one IMAP session after login, in a process of its own: blocking, one user (RFC 3501, RFC 9051)
 *
 *          ┌──────────── CLOSE, UNSELECT, failed SELECT ────────────┐
 *          ▼                                                        │
 *   AUTHENTICATED ──────────── SELECT, EXAMINE ───────────────▶ SELECTED ──┐ SELECT, EXAMINE
 *          │                                                        │  ▲───┘
 *          └── LOGOUT, end of line, idle too long, folder lost ──▶ LOGOUT
 */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"
#include "imapd/watch.h"
#include "io/stream.h"
#include "proto/imap_frame.h"
#include "proto/imap_parse.h"
#include "store/folder.h"
#include "store/mail_store.h"
#include "store/mailbox.h"

enum session_state { SESSION_AUTHENTICATED = 1, SESSION_SELECTED = 2, SESSION_LOGOUT = 4 };

/* What ENABLE, or a command that implies it, switched on. */
enum session_enabled { ENABLED_CONDSTORE = 1, ENABLED_QRESYNC = 2, ENABLED_REV2 = 4, ENABLED_UTF8 = 8 };

struct imapd_conf;
struct session_start;

struct session {
	struct stream io;
	const struct session_start *start;
	const struct imapd_conf *conf;
	enum session_state state;
	unsigned enabled;               /* enum session_enabled */
	struct mail_store store;
	struct mailbox *box;            /* selected, else NULL */
	struct watch watch;
	struct imap_frame frame;
	struct arena tick;              /* of one command: reset after its tagged answer */
	struct {
		uint32_t *uids;         /* SEARCHRES (RFC 5182): UIDs in order, heap */
		size_t n;
	} saved;
	unsigned n_bad;                 /* commands in a row that were none */
	const char *reason;             /* why it ended, for the log */
	uint64_t in_bytes, out_bytes, n_fetched, n_deleted, n_expunged;
};

/* One command while it runs. */
struct command {
	struct span tag;
	struct span verb;               /* upper case, without "UID" */
	bool is_uid;                    /* UID FETCH, ... */
	struct imap_args args;          /* what follows the verb */
	const struct cmd *def;
};

/* What a command's function answers; OK, NO and BAD have been said by session_ok, _no, _bad already. */
enum cmd_rc { CMD_DONE = 0, CMD_END = -1 };     /* END: the session is over */

typedef enum cmd_rc cmd_fn(struct session *s, struct command *c);

enum cmd_flags {
	CMD_UID = 1,                    /* may come as "UID ..." */
	CMD_NO_EXPUNGE = 2,             /* no untagged EXPUNGE may be sent while it is in progress (RFC 3501 section 7.4.1), unless UID */
	CMD_NO_SYNC = 4,                /* says itself what changed, or nothing may be said */
};

/* The table is in commands.c, sorted by name; one file per command: cmd_fetch.c has cmd_fetch. */
struct cmd {
	const char *name;
	cmd_fn *fn;
	unsigned states;                /* enum session_state bits in which it is legal */
	unsigned flags;                 /* enum cmd_flags */
};

/* Takes fd (of the client, or of login's relay) and serves until the end; sends the tagged answer of the login
 * first. The store is open. Source: session.c */
void session_run(struct session *s);

/* ---- output: buffered, sent when much is there or nothing more is to be read. -1: the client is gone (reason is set), and
 * the command must return CMD_END. Source: session_io.c ---- */
int session_put(struct session *s, struct span bytes) WARN_UNUSED;
int session_putf(struct session *s, const char *fmt, ...) PRINTF(2, 3) WARN_UNUSED;
int session_flush(struct session *s) WARN_UNUSED;

/* Tagged answers with an optional response code in the text: "[TRYCREATE] No such folder". Before OK and NO of a command without
 * CMD_NO_SYNC the changes of the folder are told (RFC 3501 section 5.2). Source: session.c */
enum cmd_rc session_ok(struct session *s, struct command *c, const char *fmt, ...) PRINTF(3, 4);
enum cmd_rc session_no(struct session *s, struct command *c, const char *fmt, ...) PRINTF(3, 4);
enum cmd_rc session_bad(struct session *s, struct command *c, const char *fmt, ...) PRINTF(3, 4);

/* The answer for an err: ERR_PERM is NO with its words ([OVERQUOTA] for dsn 5.2.2, [TRYCREATE], ... as set by the caller in
 * code, may be NULL), ERR_PROTO is BAD, the rest NO [SERVERBUG] or [UNAVAILABLE] with a line in the log. Source: session.c */
enum cmd_rc session_fail(struct session *s, struct command *c, const char *code, const struct err *err);

/* Tells what mailbox_sync found: EXPUNGE or VANISHED, EXISTS, RECENT, FLAGS, FETCH (FLAGS [UID] [MODSEQ]). Source: notify_client.c */
int session_sync(struct session *s, bool may_expunge) WARN_UNUSED;

/* A sequence set, or UID set, or "$", as sorted indexes in box->v (memory of tick). Numbers above EXISTS in a sequence set are BAD, as
 * RFC 3501 asks; UIDs that do not exist are skipped. -1 ERR_PROTO. Source: select_set.c */
int session_resolve(struct session *s, const struct imap_seqset *set, bool is_uid, uint32_t **sel_r, size_t *n_r,
		    struct err *err) WARN_UNUSED;

/* Appends "(\Seen $Junk)" for the flags of a message. Source: flags.c */
int flags_print(struct str *out, const struct keywords *k, uint32_t flags, bool is_recent) WARN_UNUSED;

/* A name from the client as the store has it (from UTF-8 when rev2 or UTF8=ACCEPT is on), and back; in tick.
 * -1 ERR_PERM with words for the client. Source: names.c */
int session_folder_in(struct session *s, struct span name, struct span *folder_r, struct err *err) WARN_UNUSED;
int session_folder_out(struct session *s, struct str *out, struct span folder) WARN_UNUSED;

/* The capability line, exactly what works, without "CAPABILITY ". Source: cmd_capability.c */
const char *session_capabilities(const struct session *s);

#endif
