/* macro.h: $name, ${name}, ${name?text}, ${name:text}, ${name?{text}:{text}}, $$ as in Postfix */
#ifndef CONF_MACRO_H
#define CONF_MACRO_H

#include "base/err.h"
#include "base/str.h"

/* The longest value of one name. */
#define MACRO_MAX 65536

/* Appends the final value of name: 1, or 0 when there is no such name, or -1 with err. */
typedef int macro_fn(void *arg, struct span name, struct str *out, struct err *err);

/* Appends the expansion of text to *out. -1 ERR_CONF for wrong syntax, a name that is not known where it is used
 * bare, nesting deeper than 16, or a result over out's limit. The result of fn is not expanded again.
 * Source: macro.c */
int macro_expand(struct str *out, struct span text, macro_fn *fn, void *arg, struct err *err) WARN_UNUSED;

/* Calls visit with each name that text refers to, until the end or wrong syntax. Source: macro.c */
void macro_names(struct span text, void (*visit)(void *arg, struct span name), void *arg);

/* The bytes between the brace that in begins with and its partner, and what follows; false when in begins with no
 * brace or the partner is missing. Source: macro.c */
bool macro_group(struct span in, struct span *inside_r, struct span *rest_r);

/* Takes the next word of a list from *in: bounded by white space and commas outside of braces. Source: macro.c */
bool macro_word(struct span *in, struct span *word_r);

#endif
