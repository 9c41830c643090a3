/* listing.h: which folders LIST and LSUB show (RFC 5258, RFC 3501 section 6.3.9) */
#ifndef IMAPD_LISTING_H
#define IMAPD_LISTING_H

#include "imapd/session.h"
#include "proto/imap_list_args.h"

enum listing_bit {
	LISTING_MATCHES = 1,            /* one of the patterns */
	LISTING_MEETS = 2,              /* the selection options */
	LISTING_BELOW = 4,              /* a folder below meets them */
	LISTING_HIDDEN = 8,             /* one of those matches no pattern: the parent speaks for it */
	LISTING_SHOWN = 16,
};

/* In tick. */
struct listing {
	struct folder_list folders;
	unsigned char *bits;            /* of each folder */
};

/* -1 ERR_SYS. Blocks. Source: listing.c */
int listing_make(struct session *s, const struct imap_list *args, struct listing *out_r, struct err *err) WARN_UNUSED;

#endif
