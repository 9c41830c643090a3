/* child.h: the process of one session: becomes the user, locks itself in, serves */
#ifndef POP3D_CHILD_H
#define POP3D_CHILD_H

#include "base/attr.h"
#include "pop3d/start.h"
#include "svc/daemon.h"

/* In the forked child, all signals blocked; takes fd. Never returns. Source: child.c */
NORETURN void child_run(struct daemon *d, const struct start *start, int fd);

/* Becomes the user, opens the mailbox, gives up every other path, serves; for child_run and tests. -1 when it did not
 * come to a session: the client has been told. Source: child.c */
int child_serve(const struct start *start, int fd, struct err *err) WARN_UNUSED;

#endif
