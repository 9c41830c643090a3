/* mail_record_priv.h: what the mail_record*.c files share */
#ifndef STORE_MAIL_RECORD_PRIV_H
#define STORE_MAIL_RECORD_PRIV_H

#include "store/mail_record.h"

/* Appends the next message id of in, normalised (RFC 5256 section 3: no brackets, quoted words unquoted); what is
 * none is skipped. False at the end. Source: mail_record_id.c */
bool mail_record_id(struct span *in, struct str *out);

/* Appends the table of parts. -1 at out's limit. Source: mail_record_codec.c */
int mail_record_parts(struct str *out, const struct mime_part *root) WARN_UNUSED;

/* Numbers of variable length, seven bits a byte; take: -1 at the end or for more than 64 bits.
 * Source: mail_record_codec.c */
int mail_record_put(struct str *out, uint64_t v) WARN_UNUSED;
int mail_record_take_long(struct span *in, uint64_t *v_r) WARN_UNUSED;

/* Most are short. */
static inline int mail_record_take(struct span *in, uint64_t *v_r)
{
	if (!in->n || in->p[0] & 128)
		return mail_record_take_long(in, v_r);
	*v_r = (unsigned char)in->p[0];
	in->p++;
	in->n--;
	return 0;
}

/* A span with its length in front. Source: mail_record_codec.c */
int mail_record_put_span(struct str *out, struct span v) WARN_UNUSED;
static inline int mail_record_take_span(struct span *in, struct span *v_r)
{
	uint64_t n;

	if (mail_record_take(in, &n) < 0 || n > in->n)
		return -1;
	*v_r = (struct span){ in->p, (size_t)n };
	in->p += n;
	in->n -= (size_t)n;
	return 0;
}

#endif
