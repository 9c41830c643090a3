/* serve.h: what a child does once it is locked in */
#ifndef IMAPD_SERVE_H
#define IMAPD_SERVE_H

#include "svc/child_start.h"
#include "store/mail_store.h"

/* Takes the open store and fd (of the client, or of login's relay) and serves, then what sessions of the same user the
 * parent brings, until it has none or the session was parked. Source: serve.c */
void serve_run(const struct child_start *start, struct mail_store *store, int fd);

#endif
