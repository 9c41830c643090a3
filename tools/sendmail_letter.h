/* sendmail_letter.h: a letter as sendmail(1) reads it: header fields for -t, what is missing added, lines as SMTP
 * wants */
#ifndef TOOLS_SENDMAIL_LETTER_H
#define TOOLS_SENDMAIL_LETTER_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct letter {
	struct arena arena;
	struct str text;                /* with CRLF line ends, dots not yet doubled, Bcc removed */
	const char **rcpts;             /* qualified, in the arena */
	size_t n_rcpts, cap_rcpts;
	const char *sender;             /* qualified, "" for nobody; in the arena or a literal */
	const char *origin;             /* what unqualified addresses get behind their "@" */
	bool is_8bit, is_utf8_header;
};

/* origin is borrowed. Source: sendmail_letter.c */
void letter_init(struct letter *l, const char *origin);
void letter_fini(struct letter *l);

/* The sender of -f, with or without a name; "" and "<>" are nobody. -1 ERR_PROTO for no address or several. No I/O.
 * Source: sendmail_letter.c */
int letter_set_sender(struct letter *l, struct span address, struct err *err) WARN_UNUSED;

/* One recipient of the command line or of a header; qualified with the origin. -1 ERR_PROTO for no address. No I/O.
 * Source: sendmail_letter.c */
int letter_add_rcpt(struct letter *l, struct span address, struct err *err) WARN_UNUSED;

/* Reads in to its end, or (dot_ends) to a line with a single dot. takes_rcpts: To, Cc and Bcc fields (Resent- ones if
 * there are any) name the recipients. from: the From field to add when there is none, or NULL. Blocks on in.
 * -1: ERR_SYS, ERR_PROTO for a bad address. Source: sendmail_letter.c */
int letter_read(struct letter *l, FILE *in, bool dot_ends, bool takes_rcpts, const char *from,
		struct err *err) WARN_UNUSED;

#endif
