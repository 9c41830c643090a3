/* child.h: the process of one session: becomes the user, locks itself in, serves */
#ifndef IMAPD_CHILD_H
#define IMAPD_CHILD_H

#include "base/err.h"
#include "store/mail_store.h"
#include "svc/child_start.h"

/* Becomes the user, makes the Maildir where it is missing, gives up every path but it, the index and the character sets
 * of iconv, serves fd (taken): session_serve_fn. -1 when it did not come to a session: the client has been told.
 * Source: child.c */
int child_serve(const struct child_start *start, int fd, struct err *err) WARN_UNUSED;

/* Its first half: mailbox and index are opened, and made if they are missing, as the user; from then on nothing else
 * can be reached. The caller closes *store_r. For child_serve and tests. Source: child.c */
int child_lock_in(const struct child_start *start, struct mail_store *store_r, struct err *err) WARN_UNUSED;

#endif
