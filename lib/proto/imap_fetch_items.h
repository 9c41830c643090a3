/* imap_fetch_items.h: what FETCH asks for (RFC 3501 section 6.4.5; BINARY RFC 3516; MODSEQ and modifiers RFC 7162) */
#ifndef PROTO_IMAP_FETCH_ITEMS_H
#define PROTO_IMAP_FETCH_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"
#include "proto/imap_parse.h"

enum imap_fetch_kind {
	IMAP_FETCH_UID, IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE, IMAP_FETCH_SIZE, IMAP_FETCH_MODSEQ,
		IMAP_FETCH_ENVELOPE,
	IMAP_FETCH_STRUCTURE,           /* BODY: the structure without extension data */
	IMAP_FETCH_BODYSTRUCTURE,
	IMAP_FETCH_RFC822, IMAP_FETCH_RFC822_HEADER, IMAP_FETCH_RFC822_TEXT,    /* section: as for BODY[...] */
	IMAP_FETCH_BODY,                /* BODY[section] */
	IMAP_FETCH_BINARY,              /* BINARY[parts] */
	IMAP_FETCH_BINARY_SIZE,
};

enum imap_fetch_text {
	IMAP_FETCH_ALL, IMAP_FETCH_HEADER, IMAP_FETCH_FIELDS, IMAP_FETCH_FIELDS_NOT, IMAP_FETCH_TEXT, IMAP_FETCH_MIME,
};

struct imap_fetch_item {
	enum imap_fetch_kind kind;
	enum imap_fetch_text text;      /* of the part */
	bool is_peek;                   /* does not set \Seen; true for whatever never does */
	bool is_partial;                /* <offset.length> */
	uint64_t offset, length;
	uint32_t *parts;                /* "1.2" is {1, 2}; none: the whole message */
	size_t n_parts;
	struct span *fields;            /* names of HEADER.FIELDS, upper case */
	size_t n_fields;
};

struct imap_fetch {
	struct imap_fetch_item *items;  /* in the arena; macros expanded, duplicates without a section left out */
	size_t n;
	unsigned kinds;                 /* 1 << kind of all items */
	bool sets_seen;                 /* an item sets \Seen */
	bool has_changedsince;
	bool wants_vanished;            /* only with changedsince; the caller checks UID FETCH and QRESYNC */
	uint64_t changedsince;          /* the client is then CONDSTORE aware; MODSEQ is not added to items */
};

/* At the cursor: items, then modifiers if any, up to the end. -1 ERR_PROTO. Source: imap_fetch_items.c */
int imap_fetch_items_parse(struct imap_parse *p, struct imap_fetch *out_r, struct err *err) WARN_UNUSED;

/* Appends the item's name as the response shows it: "BODY[HEADER.FIELDS (DATE FROM)]<0>", no PEEK, no length.
 * -1 at out's limit. Source: imap_fetch_items.c */
int imap_fetch_items_name(struct str *out, const struct imap_fetch_item *item) WARN_UNUSED;

#endif
