/* smtp_body.h: decoder of message content as it arrives by DATA or BDAT: line endings, dots, end of data, size */
#ifndef PROTO_SMTP_BODY_H
#define PROTO_SMTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum smtp_body_mode { SMTP_BODY_DATA, SMTP_BODY_BDAT };

enum smtp_body_rc { SMTP_BODY_MORE, SMTP_BODY_OUT, SMTP_BODY_END };

/* Only CR LF . CR LF ends DATA. A bare LF becomes a line end and a bare CR a space, so that nothing stored or relayed
 * holds one (Postfix: smtpd_forbid_bare_newline = normalize, cleanup_replace_stray_cr_lf); a caller that rejects such
 * messages looks at bare_lf and bare_cr at the end. Caller's memory, nothing to free. State:
 *
 *   BOL --"."--> DOT --CR--> DOT_CR --LF--> END         BOL: behind CR LF, or at the start
 *    ^            |             |                        BOL_LF: behind a bare LF; a dot there ends nothing
 *    |            v             v
 *   CR --LF--<  TEXT <--------- (the dot is dropped, the CR is bare)
 */
struct smtp_body {
	enum smtp_body_mode mode;
	enum { SMTP_BODY_ST_BOL, SMTP_BODY_ST_BOL_LF, SMTP_BODY_ST_TEXT, SMTP_BODY_ST_CR, SMTP_BODY_ST_DOT,
	       SMTP_BODY_ST_DOT_CR, SMTP_BODY_ST_END } state;
	const char *eol;                /* what a line ends with on output */
	uint64_t size;                  /* bytes put out so far, and those that would have been beyond size_max */
	uint64_t size_max;              /* 0: no limit */
	bool bare_lf, bare_cr, nul, eight_bit;
	bool too_big;                   /* size_max was exceeded: nothing more is put out, input is still consumed */
};

/* eol: "\n" or "\r\n", the form in which lines are put out. Source: smtp_body.c */
void smtp_body_init(struct smtp_body *b, enum smtp_body_mode mode, const char *eol, uint64_t size_max);

/* Consumes from the front of *in. OUT: *out_r holds the next bytes of content (a view of *in or of a constant), call
 * again. MORE: *in is used up. END: the end of data was seen, *in begins with what follows it. Source: smtp_body.c */
enum smtp_body_rc smtp_body_next(struct smtp_body *b, struct span *in, struct span *out_r);

/* After the last BDAT chunk: ends an open line; OUT as above until END. Source: smtp_body.c */
enum smtp_body_rc smtp_body_finish(struct smtp_body *b, struct span *out_r);

#endif
