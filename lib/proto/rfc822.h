/* rfc822.h: the words of structured header fields (RFC 5322, RFC 2045), and a forgiving walk over address lists */
#ifndef PROTO_RFC822_H
#define PROTO_RFC822_H

#include <stdbool.h>

#include "base/span.h"
#include "base/str.h"

enum rfc822_rc { RFC822_BAD = -1, RFC822_END = 0, RFC822_MORE = 1 };

/* A place in a field value; line breaks count as blanks. comment may be NULL, else it holds the last comment's text. */
struct rfc822 {
	const char *p, *end;
	struct str *comment;
};

/* Skips blanks and comments. BAD: a comment is not closed, and then all was skipped. Source: rfc822.c */
enum rfc822_rc rfc822_skip(struct rfc822 *r);

/* Append the word at r->p to out (what is over out's limit is left out), skip what follows it and say what rfc822_skip
 * said; BAD when there is no such word. quoted: r->p is at the quote; backslashes are removed, line breaks too.
 * dot_atom: dots anywhere. token: RFC 2045; may be empty. phrase: words and dots,
 * one space between words; may be empty. Source: rfc822.c */
enum rfc822_rc rfc822_atom(struct rfc822 *r, struct str *out);
enum rfc822_rc rfc822_dot_atom(struct rfc822 *r, struct str *out);
enum rfc822_rc rfc822_quoted(struct rfc822 *r, struct str *out);
enum rfc822_rc rfc822_token(struct rfc822 *r, struct str *out);
enum rfc822_rc rfc822_phrase(struct rfc822 *r, struct str *out);

/* The next "; name=value" (RFC 2045 section 5.1): both are reset and filled. What is no parameter is skipped.
 * False at the end. Source: rfc822.c */
bool rfc822_param(struct rfc822 *r, struct str *name, struct str *value);

enum rfc822_kind { RFC822_MAILBOX, RFC822_GROUP, RFC822_GROUP_END };

/* One entry of a list as IMAP shows it (RFC 3501 section 7.4.2). What is missing in a mailbox has n 0 and has_x
 * false. */
struct rfc822_address {
	enum rfc822_kind kind;
	bool has_name, has_route, has_local, has_domain;
	bool is_broken;                 /* "<" without ">", or words where an address should be */
	struct str name, route, local, domain, comment;
};

/* A walk; caller's memory. */
struct rfc822_list {
	struct rfc822 r;
	unsigned char state;
	struct rfc822_address a;
};

/* in must outlive the walk. again walks through another value, with the same strings, which fini frees. Source:
 * rfc822_list.c */
void rfc822_list_init(struct rfc822_list *l, struct span in);
void rfc822_list_again(struct rfc822_list *l, struct span in);
void rfc822_list_fini(struct rfc822_list *l);

/* The next entry in l->a, valid until the next call; false at the end or where no list goes on. Broken mailboxes are
 * entries too. Time linear in the value. Source: rfc822_list.c */
bool rfc822_list_next(struct rfc822_list *l);

#endif
