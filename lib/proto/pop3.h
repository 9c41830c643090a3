/* pop3.h: command lines, dot-stuffed messages and unique ids of POP3 (RFC 1939); no I/O */
#ifndef PROTO_POP3_H
#define PROTO_POP3_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

/* Longest command line before and after login, without CRLF: RFC 2449 section 4 asks for 255 octets; SASL responses are
 * longer (RFC 5034 section 4) and have their own limit. */
#define POP3_LINE_MAX 1024

/* Splits a line at the first space; the arguments keep theirs, since a password may hold spaces. -1: an empty verb, one
 * of more than 16 bytes, or a NUL byte in the line. Source: pop3.c */
int pop3_parse(struct span line, struct span *verb_r, struct span *args_r) WARN_UNUSED;

/* Takes the next argument from *args: a number of at most max, without sign. -1 when there is none. Source: pop3.c */
int pop3_number(struct span *args, uint64_t max, uint64_t *n_r) WARN_UNUSED;

/* A message on its way to the client: LF becomes CRLF, a dot at the start of a line is doubled. */
struct pop3_writer {
	uint64_t body_lines;            /* still to send, UINT64_MAX: all (TOP) */
	bool is_body;
	bool is_line_start;
	bool is_only_cr;                /* the line so far: it may become an empty one */
	bool has_cr;                    /* the last byte was a CR */
	bool is_done;
};

/* body_lines: how many lines of the body follow the headers. Source: pop3.c */
void pop3_write_begin(struct pop3_writer *w, uint64_t body_lines);

/* Appends the wire form of in to out, at most twice its length; *done_r (may be NULL) tells that nothing of what
 * follows will be sent any more. -1: out's limit. Source: pop3.c */
int pop3_write(struct pop3_writer *w, struct span in, struct str *out, bool *done_r) WARN_UNUSED;

/* Ends the last line if need be, then the response. -1: out's limit. Source: pop3.c */
int pop3_write_end(struct pop3_writer *w, struct str *out) WARN_UNUSED;

/* What a unique id is made of. */
struct pop3_uidl {
	uint32_t uid, validity;
	struct span base;               /* base name of the file */
	struct span guid;
};

/* Checks a format: %u UID, %v UIDVALIDITY, %f base name, %g GUID, %%; between % and the letter a width, which counts with
 * a leading 0 only, X for hexadecimal (lower case, as Dovecot writes it), L or U for case. -1 ERR_CONF. Source: pop3.c */
int pop3_uidl_check(const char *format, struct err *err) WARN_UNUSED;

/* Appends the unique id of a checked format. When it would not be 1 to 70 printable characters without space (RFC 1939
 * section 7), that of Dovecot's default format %08Xu%08Xv instead. -1: out's limit. Source: pop3.c */
int pop3_uidl(struct str *out, const char *format, const struct pop3_uidl *u) WARN_UNUSED;

#endif
