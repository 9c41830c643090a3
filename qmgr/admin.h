/* admin.h: the named socket of surat queue: list, show, retry, hold, release, delete */
#ifndef QMGR_ADMIN_H
#define QMGR_ADMIN_H

#include <sys/types.h>

#include "qmgr/qmgr.h"

struct admin;

/* Makes run_directory/queue anew and listens there; the descriptor, or -1 with err. Needs the right to write there.
 * Source: admin.c */
int admin_listen(const char *run_directory, struct err *err) WARN_UNUSED;

/* Serves the listening socket; takes *fd. Root, owner and our own user may do all; others list and retry.
 * Source: admin.c */
struct admin *admin_new(struct qmgr *q, int *fd, uid_t owner);

/* Serves one connection as if it had been accepted; takes *fd. For tests and for admin.c itself. Source: admin.c */
void admin_serve(struct admin *adm, bool is_guest, int *fd);

/* Ends the sessions of guests that said and took nothing for half a minute. For tests and admin.c itself. Source:
 * admin.c */
void admin_expire(struct admin *adm, uint64_t now_ms);

/* Ends all sessions. Takes NULL. Call it before qmgr_stop. Source: admin.c */
void admin_free(struct admin *adm);

#endif
