/* names.h: $user, $home, $extension and the like in values of main.cf that speak of a recipient */
#ifndef LOCAL_NAMES_H
#define LOCAL_NAMES_H

#include "local/msg_child.h"
#include "local/settings.h"

struct names {
	const struct settings *s;
	const struct child_rcpt *r;
	struct span home, shell;
	const char *param;              /* for messages */
};

/* A macro_fn, whose arg is a struct names: home, shell, user, extension, recipient_delimiter, local, domain and
 * recipient. What a stranger chose keeps only characters that are parts of file names. Source: names.c */
int names_value(void *arg, struct span name, struct str *out, struct err *err);

/* The byte of recipient_delimiter that stands in front of the extension of r, else the first of them. Source: names.c */
struct span names_delimiter(const struct settings *s, const struct child_rcpt *r);

#endif
