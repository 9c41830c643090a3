/* imap_search_expr.h: arguments of SEARCH, SORT and THREAD as a tree (RFC 3501 section 6.4.4, RFC 5256, RFC 4731) */
#ifndef PROTO_IMAP_SEARCH_EXPR_H
#define PROTO_IMAP_SEARCH_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "proto/imap_parse.h"
#include "proto/imap_seqset.h"

enum imap_search_op {
	IMAP_SEARCH_AND, IMAP_SEARCH_OR,                        /* of all children; AND of none is true */
	IMAP_SEARCH_ALL,
	IMAP_SEARCH_SEQ, IMAP_SEARCH_UID,                       /* set; may hold "*" and "$" */
	IMAP_SEARCH_FLAG,                                       /* flag: all bits, \Recent among them */
	IMAP_SEARCH_KEYWORD,                                    /* text: the keyword */
	IMAP_SEARCH_HEADER,                                     /* name, text; empty text: the field is there */
	IMAP_SEARCH_BODY, IMAP_SEARCH_TEXT,                     /* text */
	IMAP_SEARCH_BEFORE, IMAP_SEARCH_ON, IMAP_SEARCH_SINCE,  /* day, of the internal date in the server's zone */
	IMAP_SEARCH_SENTBEFORE, IMAP_SEARCH_SENTON, IMAP_SEARCH_SENTSINCE,      /* day, of the Date field as written */
	IMAP_SEARCH_LARGER, IMAP_SEARCH_SMALLER,                /* number: bytes, neither includes it */
	IMAP_SEARCH_YOUNGER, IMAP_SEARCH_OLDER,                 /* number: seconds (RFC 5032), both include it */
	IMAP_SEARCH_MODSEQ,                                     /* number: at least (RFC 7162); no entry names */
};

/* In the arena. FROM, TO, CC, BCC and SUBJECT are HEADER; UNSEEN is FLAG with is_not; NEW is an AND. */
struct imap_search_node {
	enum imap_search_op op;
	bool is_not;
	unsigned flag;
	int32_t day;
	uint64_t number;
	struct span name;                                       /* field name as written */
	struct span text;                                       /* UTF-8, not folded */
	struct imap_seqset set;
	struct imap_search_node *child, *next;
};

enum imap_search_sort {
	IMAP_SEARCH_ARRIVAL, IMAP_SEARCH_SORT_CC, IMAP_SEARCH_DATE, IMAP_SEARCH_SORT_FROM, IMAP_SEARCH_SIZE,
	IMAP_SEARCH_SUBJECT, IMAP_SEARCH_SORT_TO, IMAP_SEARCH_DISPLAYFROM, IMAP_SEARCH_DISPLAYTO,
};

struct imap_search_criterion {
	enum imap_search_sort by;
	bool is_reverse;
};

enum imap_search_thread { IMAP_SEARCH_ORDEREDSUBJECT, IMAP_SEARCH_REFERENCES };

enum {  /* RETURN options (RFC 4731 section 3.1, RFC 5182) */
	IMAP_SEARCH_MIN = 1, IMAP_SEARCH_MAX = 2, IMAP_SEARCH_RETURN_ALL = 4, IMAP_SEARCH_COUNT = 8,
		IMAP_SEARCH_SAVE = 16,
};

enum imap_search_command { IMAP_SEARCH_SEARCH, IMAP_SEARCH_SORT, IMAP_SEARCH_THREAD };

struct imap_search_limits {
	unsigned depth_max;             /* NOT costs none, nor does OR as the second argument of OR */
	size_t nodes_max;
};
#define IMAP_SEARCH_LIMITS_DEFAULT ((struct imap_search_limits){ 64, 2000 })

struct imap_search {
	struct imap_search_node *root;  /* an AND */
	bool has_return;                /* answer with ESEARCH; "RETURN ()" is RETURN (ALL) */
	unsigned returns;
	bool is_bad_charset;            /* parse gave -1 because of it: NO [BADCHARSET (...)] instead of BAD */
	bool needs_modseq;              /* a MODSEQ key: the client is CONDSTORE aware, the answer has (MODSEQ n) */
	struct imap_search_criterion *sort;
	size_t n_sort;
	enum imap_search_thread thread;
};

/* At the cursor behind the verb's space, up to the end. limits NULL: the default. Reads a gconv module from disk for a
 * charset that is not UTF-8, US-ASCII or ISO-8859-1. -1 ERR_PROTO. Source: imap_search_expr.c */
int imap_search_parse(struct imap_parse *p, enum imap_search_command command, const struct imap_search_limits *limits,
                      struct imap_search *out_r, struct err *err) WARN_UNUSED;

#endif
