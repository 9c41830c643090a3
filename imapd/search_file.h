/* search_file.h: the keys of SEARCH that only the message itself can answer: other fields, BODY and TEXT */
#ifndef IMAPD_SEARCH_FILE_H
#define IMAPD_SEARCH_FILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "imapd/search_text.h"
#include "store/mail_record.h"

enum search_where { SEARCH_IN_FIELD, SEARCH_IN_BODY, SEARCH_IN_TEXT };

struct search_leaf {
	enum search_where where;
	struct span name;                       /* of a field */
	bool is_address;                        /* of a field: see search_address.h */
	struct search_needle needle;            /* is_found: the answer for the last message; text empty: the field is there */
};

/* Caller's memory; buffers are kept from message to message. */
struct search_file {
	struct search_leaf *leaves;
	size_t n;
	bool has_field, has_body, has_text;
	struct search_text in_header;           /* TEXT */
	struct search_text in_body;             /* BODY and TEXT */
	struct str field, decoded, utf8;
	char *window;                           /* bytes of the file */
	uint64_t window_at;
	size_t window_n;
	int fd;
};

/* leaves outlive x; memory of a. fini is idempotent. Source: search_file.c */
void search_file_init(struct search_file *x, struct arena *a, struct search_leaf *leaves, size_t n);
void search_file_fini(struct search_file *x);

/* The field, folded, holds the needle, or an address of it does (is_address). Source: search_file.c */
bool search_file_field(const struct search_leaf *leaf, struct span field);

/* Looks through the message under fd: then leaves[].needle.is_found tells. parts: its table (mail_record.h), needed for
 * BODY and TEXT only. Blocks. -1 ERR_SYS. Source: search_file.c */
int search_file_run(struct search_file *x, int fd, struct span parts, struct err *err) WARN_UNUSED;

#endif
