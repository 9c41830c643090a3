/* cmd_expunge.h: what EXPUNGE and CLOSE share */
#ifndef IMAPD_CMD_EXPUNGE_H
#define IMAPD_CMD_EXPUNGE_H

#include "imapd/session.h"

/* Removes the messages with \Deleted of the selected folder, only those of uids when that is not NULL. The view
 * follows at the next sync. Source: cmd_expunge.c */
int cmd_expunge_deleted(struct session *s, const struct imap_seqset *uids, struct err *err) WARN_UNUSED;

#endif
