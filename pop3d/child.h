/* child.h: the process of one session: becomes the user, locks itself in, serves */
#ifndef POP3D_CHILD_H
#define POP3D_CHILD_H

#include "base/err.h"
#include "svc/child_start.h"

/* Becomes the user, opens the mailbox, gives up every other path, serves fd (taken): session_serve_fn. -1 when it
 * did not come to a session: the client has been told. Source: child.c */
int child_serve(const struct child_start *start, int fd, struct err *err) WARN_UNUSED;

#endif
