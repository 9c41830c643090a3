/* bounce.h: notices to senders about what failed, waits, or arrived (RFC 3461, RFC 3464) */
#ifndef QMGR_BOUNCE_H
#define QMGR_BOUNCE_H

#include "qmgr/qmgr.h"

/* At the end of a pass: adds to job the notices that are due, as new messages, and marks in a->m the recipients
 * they are about. Commit of job makes both durable together. Reads the body, so it may fault pages in. Source:
 * bounce.c */
void bounce_write(struct active *a, struct write_job *job);

#endif
