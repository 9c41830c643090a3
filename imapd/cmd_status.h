/* cmd_status.h: the untagged answer of STATUS, which LIST gives too (RFC 5819) */
#ifndef IMAPD_CMD_STATUS_H
#define IMAPD_CMD_STATUS_H

#include "imapd/session.h"

/* items: enum imap_status_item. 1 told, 0 there is no such folder, -1 err, or the client is gone (s->reason). Blocks.
 * Source: cmd_status.c */
int status_tell(struct session *s, struct span folder, unsigned items, struct err *err) WARN_UNUSED;

#endif
