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

#include <stdarg.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"
#include "imapd/watch.h"
#include "io/stream.h"
#include "proto/imap_frame.h"
#include "proto/imap_parse.h"
#include "proto/imap_seqset.h"
#include "store/folder.h"
#include "store/mail_store.h"
#include "store/mailbox.h"

enum session_state { SESSION_AUTHENTICATED = 1, SESSION_SELECTED = 2, SESSION_LOGOUT = 4 };

/* What ENABLE, or a command that implies it, switched on. */
enum session_enabled { ENABLED_CONDSTORE = 1, ENABLED_QRESYNC = 2, ENABLED_REV2 = 4, ENABLED_UTF8 = 8 };

struct imapd_conf;
struct child_start;

/* Why a session ended that its client did not end: session_run says BYE. */
#define SESSION_IDLE "Inactivity"
#define SESSION_KICKED "Disconnected by the server"
/* It goes on elsewhere: nothing is said, nothing logged. */
#define SESSION_PARKED "Parked"

/* For imap_logout_format; they go on with a session that rests. */
struct session_counts {
	uint64_t in_bytes, out_bytes;
	uint64_t n_deleted, n_expunged;
	uint64_t n_headers, header_bytes, n_bodies, body_bytes;         /* sent by FETCH */
};

/* Caller's memory; session_init first, then store, watch and what else the caller has. */
struct session {
	struct stream io;
	const struct child_start *start;
	const struct imapd_conf *conf;
	enum session_state state;
	unsigned enabled;               /* enum session_enabled */
	struct mail_store store;
	struct mailbox *box;            /* selected, else NULL */
	char *folder;                   /* its name as in folder.h ("INBOX", "a.b"), heap, else NULL */
	struct watch watch;
	struct imap_frame frame;
	struct arena tick;              /* of one command: reset after its tagged answer */
	struct imap_seqset saved;       /* SEARCHRES (RFC 5182): UIDs; memory of saved_arena; session_save sets it */
	struct arena saved_arena;
	unsigned n_bad;                 /* commands in a row that were none */
	const char *reason;             /* why it ended, for the log */
	bool is_compressed, is_resting;
	uint64_t settle_ms;             /* at rest: call session_rest again then; UINT64_MAX: need not be */
	uint64_t silent_ms;             /* since when the client has said nothing, on the clock that never goes back; 0: it has */
	bool is_inside;                 /* a command has begun: the client may not take all the time of the world */
	size_t n_announced;             /* bytes of a command up to a literal, that lie in the buffer yet */
	uint64_t reader_ms;             /* how long the client may take nothing of what is sent */
	struct session_counts counts;
};

/* One command while it runs. */
struct command {
	struct span tag;
	struct span verb;               /* upper case, without "UID " */
	bool is_uid;                    /* UID FETCH, ... */
	bool has_literal;               /* APPEND: the text ends in the announcement of a literal that is still to be read */
	struct imap_parse args;         /* at the space behind the verb, or at the end; spans live as long as the command */
	const struct cmd *def;
};

/* What a command's function answers; OK, NO and BAD have been said by session_ok, _no, _bad already. */
enum cmd_rc { CMD_DONE = 0, CMD_END = -1 };     /* END: the session is over */

typedef enum cmd_rc cmd_fn(struct session *s, struct command *c);

enum cmd_flags {
	CMD_UID = 1,                    /* may come as "UID ..." */
	CMD_NO_EXPUNGE = 2,             /* no untagged EXPUNGE while it is in progress (RFC 3501 section 7.4.1), unless UID */
	CMD_NO_SYNC = 4,                /* says itself what changed, or nothing may be said */
	CMD_LITERAL = 8,                /* reads its own literals (APPEND) */
};

/* The table is in commands.c; one file per command: cmd_fetch.c has cmd_fetch. */
struct cmd {
	const char *name;
	cmd_fn *fn;
	unsigned states;                /* enum session_state bits in which it is legal */
	unsigned flags;                 /* enum cmd_flags */
};

/* Takes fd (of the client, or of login's relay), which becomes non-blocking; fini closes all that is the
 * session's: stream, folder, arenas; not the store. Source: session.c */
void session_init(struct session *s, int fd, const struct child_start *start);
void session_fini(struct session *s);

/* Serves until the end, then logs; says the tagged answer of the login first, or goes on where start->state says. store is
 * open, watch is set. Source: session.c */
void session_run(struct session *s);

/* Its two ends, for tests that walk from command to command. begin: -1 when the session is over. Source: session.c */
int session_begin(struct session *s) WARN_UNUSED;
void session_finish(struct session *s);

/* ---- output: buffered, sent when much is there or nothing more is to be read. -1: the client is gone (reason is
 * set), and the command must return CMD_END. Source: session_io.c ---- */
int session_put(struct session *s, struct span bytes) WARN_UNUSED;
int session_putf(struct session *s, const char *fmt, ...) PRINTF(2, 3) WARN_UNUSED;
int session_vputf(struct session *s, const char *fmt, va_list ap) PRINTF(2, 0) WARN_UNUSED;
int session_flush(struct session *s) WARN_UNUSED;

/* ---- input, for the read loop and the few commands that read on: APPEND, IDLE. Source: session_io.c ---- */

enum session_wait { WAIT_END = -1, WAIT_INPUT = 1, WAIT_CHANGE = 2, WAIT_TIME = 3 };

/* Sends what is pending, then reads, and waits for that, for the watcher (when with_watch), or until ms have
 * passed. WAIT_INPUT: there is more in the buffer than before. Spans into the input are void after it. Source:
 * session_io.c */
enum session_wait session_wait(struct session *s, bool with_watch, uint64_t ms) WARN_UNUSED;

/* The same for input alone; ms without any end the session. -1: it is over. Source: session_io.c */
int session_fill(struct session *s, uint64_t ms) WARN_UNUSED;

/* Ends the session for that reason (the first one counts); -1. Source: session_io.c */
int session_end(struct session *s, const char *reason);

/* Reads on to the next event of the framer; text_r is what came before it: the command so far without the line's
 * end, valid until more is read. With COMMAND and BAD it was taken out of the buffer, with a literal
 * session_take_announced does so. -1: the session is over. Source: session_read.c */
int session_frame(struct session *s, enum imap_frame_rc *rc_r, struct span *text_r) WARN_UNUSED;
void session_take_announced(struct session *s);

/* Gives back what a session that only waits can do without: the index, buffers, memory. Again at settle_ms. Source:
 * session_read.c */
void session_rest(struct session *s);

/* For a command with has_literal, whose announcement was taken out of the buffer: the bytes of its literal in
 * pieces; left counts down. Source: session_read.c */
int session_literal(struct session *s, uint64_t *left, struct span *piece_r) WARN_UNUSED;

/* The framer stands at a literal of a command that is refused: takes that and what of the rest the client sends
 * nevertheless (RFC 7888 section 4), so that the next command can be read. -1: the session is over, also when that
 * is too much. Source: session_read.c */
int session_swallow(struct session *s) WARN_UNUSED;

/* ---- answers ---- */

/* Tagged answers with an optional response code in the text: "[TRYCREATE] No such folder". Before OK and NO of a
 * command without CMD_NO_SYNC the changes of the folder are told (RFC 3501 section 5.2). Source: session.c */
enum cmd_rc session_ok(struct session *s, struct command *c, const char *fmt, ...) PRINTF(3, 4);
enum cmd_rc session_no(struct session *s, struct command *c, const char *fmt, ...) PRINTF(3, 4);
enum cmd_rc session_bad(struct session *s, struct command *c, const char *fmt, ...) PRINTF(3, 4);

/* The answer for an err: ERR_PERM is NO with its words ([OVERQUOTA] for dsn 5.2.2, [TRYCREATE], ... as set by the
 * caller in code, may be NULL), ERR_PROTO is BAD, the rest NO [SERVERBUG] or [UNAVAILABLE] with a line in the log.
 * Source: session.c */
enum cmd_rc session_fail(struct session *s, struct command *c, const char *code, const struct err *err);

/* Appends what imap_logout_format says. Source: session.c */
void session_add_statistics(const struct session *s, struct str *out);

/* Log with the session's name in front. Source: session.c */
void session_log_info(const struct session *s, const char *fmt, ...) PRINTF(2, 3);
void session_log_error(const struct session *s, const struct err *err);

/* ---- the selected folder ---- */

/* Leaves the selected folder, if any, and says nothing. Source: session.c */
void session_unselect(struct session *s);

/* Tells what mailbox_sync found: EXPUNGE or VANISHED, EXISTS, RECENT, FLAGS, FETCH (FLAGS [UID] [MODSEQ]). -1: the
 * session is over. Source: sync.c */
int session_sync(struct session *s, bool may_expunge) WARN_UNUSED;

/* The selected folder is not what the client knows: says BYE and ends the session; -1. Source: sync.c */
int session_lost(struct session *s);

/* The line "* n FETCH (...)" with the flags of box->v[i], and UID and MODSEQ where they are due (RFC 7162 section
 * 3.2.4); with_uid: the command is a UID one. Source: sync.c */
int session_tell_flags(struct session *s, size_t i, bool with_uid) WARN_UNUSED;

/* CONDSTORE from here on: MODSEQ is told, and HIGHESTMODSEQ if a folder is selected (RFC 7162 section 3.1).
 * Source: sync.c */
int session_enable_condstore(struct session *s) WARN_UNUSED;

/* A sequence set, or UID set, or "$", as ascending indexes in box->v (memory of tick); loads the view. Numbers
 * above EXISTS in a sequence set are BAD, as RFC 3501 asks; UIDs that do not exist, and members of "$" that are
 * gone, are skipped. -1 ERR_PROTO, ERR_SYS. Source: select_set.c */
int session_resolve(struct session *s, const struct imap_seqset *set, bool is_uid, uint32_t **sel_r, size_t *n_r,
		    struct err *err) WARN_UNUSED;

/* What "$" means from now on: uids ascending, copied; n 0 for nothing. Source: select_set.c */
void session_save(struct session *s, const uint32_t *uids, size_t n);

/* Appends "(\Seen $Junk)" for the flags of a message. Source: flags.c */
int flags_print(struct str *out, const struct keywords *k, uint32_t flags, bool is_recent) WARN_UNUSED;

/* "* FLAGS (...)" and, with_permanent, "* OK [PERMANENTFLAGS (...)]". Source: flags.c */
int flags_tell(struct session *s, bool with_permanent) WARN_UNUSED;

/* Parsed flags as bits (enum index_flag) of the selected folder; keywords that are new are added to it, and the
 * client is told of them, when may_add, else they count for nothing. -1 ERR_PERM: no letter is free ([LIMIT]);
 * ERR_SYS; ERR_NONE: the client is gone. Source: flags.c */
int flags_bits(struct session *s, const struct imap_flags *f, bool may_add, uint32_t *bits_r, struct err *err) WARN_UNUSED;

/* A name from the client as the store has it (from UTF-8 when rev2 or UTF8=ACCEPT is on), and back; in tick.
 * -1 ERR_PERM with words for the client. Source: names.c */
int session_folder_in(struct session *s, struct span name, struct span *folder_r, struct err *err) WARN_UNUSED;
int session_folder_out(struct session *s, struct str *out, struct span folder) WARN_UNUSED;

/* The capability line, exactly what works unless imap_capability says otherwise, without "CAPABILITY "; in tick.
 * Source: cmd_capability.c */
const char *session_capabilities(struct session *s);

#endif
