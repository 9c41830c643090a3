/* imap_parse.h: a complete IMAP command taken apart from left to right (RFC 3501 section 9, RFC 9051 section 9) */
#ifndef PROTO_IMAP_PARSE_H
#define PROTO_IMAP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "proto/imap_frame.h"

#define IMAP_PARSE_DEPTH 64             /* parentheses inside each other, if nobody says otherwise */
#define IMAP_PARSE_KEYWORD_MAX 255      /* bytes of a keyword */

/* The place in a command. Spans that functions give point into the text or into the arena and live as long as both.
 * All fallible functions: 0, or -1 ERR_PROTO with a message fit to follow "BAD "; the cursor is then of no use. */
struct imap_parse {
	struct span in;
	size_t at;
	struct arena *arena;
	unsigned depth, depth_max;
};

struct imap_command {
	struct span tag;
	struct span verb;               /* upper case, in the arena; "UID FETCH" with one space for the UID forms */
};

/* text: a command as imap_frame gives it, without the last line end, or a part of one; both outlive p.
 * Source: imap_parse.c */
void imap_parse_init(struct imap_parse *p, struct arena *arena, struct span text);

/* Tag and verb; the cursor is then at the space before the arguments or at the end. On failure tag is empty unless it
 * was fit to be echoed: answer "* BAD" then (RFC 3501 section 2.2.1). Source: imap_parse.c */
int imap_parse_command(struct imap_parse *p, struct imap_command *cmd, struct err *err) WARN_UNUSED;

/* The next byte, -1 at the end. Source: imap_parse.c */
int imap_parse_peek(const struct imap_parse *p);

/* Takes c when it comes next. Source: imap_parse.c */
bool imap_parse_skip(struct imap_parse *p, char c);

/* Takes the word (letters, digits, ". - _ = +") only when it is z, ASCII case aside. Source: imap_parse.c */
bool imap_parse_skip_word(struct imap_parse *p, const char *z);

/* A space; more are taken too, as clients know it from Dovecot. what: the noun that is to follow, for the message.
 * Source: imap_parse.c */
int imap_parse_sp(struct imap_parse *p, const char *what, struct err *err) WARN_UNUSED;

/* Nothing but spaces may follow. Source: imap_parse.c */
int imap_parse_end(struct imap_parse *p, struct err *err) WARN_UNUSED;

/* A parenthesized list: after begin call more with the number of items taken so far; it says 1 and stands at an item,
 * 0 and has taken the ")", or -1. An empty list is legal here. Bounded by depth_max. Source: imap_parse.c */
int imap_parse_list_begin(struct imap_parse *p, const char *what, struct err *err) WARN_UNUSED;
int imap_parse_list_more(struct imap_parse *p, size_t n_items, struct err *err) WARN_UNUSED;

/* word: letters, digits and ". - _ = +", one at least: names of items and options. atom: RFC 3501's. Both are left as
 * they are written. what: the noun for the message. Source: imap_parse.c */
int imap_parse_word(struct imap_parse *p, const char *what, struct span *v_r, struct err *err) WARN_UNUSED;
int imap_parse_atom(struct imap_parse *p, const char *what, struct span *v_r, struct err *err) WARN_UNUSED;

/* string: quoted or a literal, of any length, without NUL bytes; no literal8. In quotes bytes over 127 are taken as
 * they are (RFC 9051, and what clients send). nstring: NIL gives p NULL. astring: also an atom, where "]", "%", "*" and
 * "\" are taken as well, since passwords come so; it is LIST's list-mailbox too. An empty string is a span with p not
 * NULL. Source: imap_parse_string.c */
int imap_parse_string(struct imap_parse *p, const char *what, struct span *v_r, struct err *err) WARN_UNUSED;
int imap_parse_nstring(struct imap_parse *p, const char *what, struct span *v_r, struct err *err) WARN_UNUSED;
int imap_parse_astring(struct imap_parse *p, const char *what, struct span *v_r, struct err *err) WARN_UNUSED;

/* An astring; INBOX in any case becomes "INBOX", also before a separator sep ("inbox/x"; 0: only alone). UTF-7 or UTF-8
 * as the client wrote it. Source: imap_parse_string.c */
int imap_parse_mailbox(struct imap_parse *p, char sep, struct span *v_r, struct err *err) WARN_UNUSED;

/* The announcement of a literal that the caller streams, at the end of the text (APPEND), with or without its line end.
 * Source: imap_parse_string.c */
int imap_parse_literal_head(struct imap_parse *p, struct imap_frame_literal *lit_r, struct err *err) WARN_UNUSED;

/* Decimal digits; nz: not 0; number64: below 2^63 (RFC 9051 section 9, RFC 7162). Source: imap_parse.c */
int imap_parse_nz_number(struct imap_parse *p, const char *what, uint32_t *n_r, struct err *err) WARN_UNUSED;
int imap_parse_number64(struct imap_parse *p, const char *what, uint64_t *n_r, struct err *err) WARN_UNUSED;

/* System flags as bits. RECENT is never parsed, only formatted. */
enum imap_flag {
	IMAP_FLAG_ANSWERED = 1, IMAP_FLAG_FLAGGED = 2, IMAP_FLAG_DELETED = 4, IMAP_FLAG_SEEN = 8, IMAP_FLAG_DRAFT = 16,
	IMAP_FLAG_RECENT = 32,
};

/* In an arena; a keyword stands there once, as first written. */
struct imap_flags {
	unsigned bits;
	struct span *keywords;
	size_t n;
};

/* "(\Seen $Forwarded)"; flags: without parentheses, up to the end of the text (STORE). An unknown flag with a backslash
 * and \Recent are errors (RFC 3501 section 2.3.2). Source: imap_parse_flags.c */
int imap_parse_flag_list(struct imap_parse *p, struct imap_flags *flags_r, struct err *err) WARN_UNUSED;
int imap_parse_flags(struct imap_parse *p, struct imap_flags *flags_r, struct err *err) WARN_UNUSED;

/* Dates of RFC 3501 section 9. date_time: quoted, as for APPEND: seconds since 1970 and the zone as written. date: for
 * SEARCH, quoted or not: days since 1970-01-01 of the calendar day. Source: imap_parse_date.c */
int imap_parse_date_time(struct imap_parse *p, int64_t *unix_s_r, int *offset_min_r, struct err *err) WARN_UNUSED;
int imap_parse_date(struct imap_parse *p, int32_t *day_r, struct err *err) WARN_UNUSED;

/* Days since 1970-01-01 of a day of the Gregorian calendar, month 1..12. Source: imap_parse_date.c */
int32_t imap_parse_day(int year, int month, int day);

#endif
