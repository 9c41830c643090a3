/* ticket.h: single-use proofs that somebody has logged in, which the parents of pop3d and imapd redeem */
#ifndef AUTH_TICKET_H
#define AUTH_TICKET_H

#include "base/arena.h"
#include "base/htab.h"
#include "svc/msg_auth.h"

#define TICKET_TEXT 32                  /* 128 random bits in hex */
#define TICKET_MAX 10000

struct ticket_table {
	struct htab tickets;
	uint64_t lifetime_ms;
};

/* Caller's memory. Source: ticket.c */
void ticket_init(struct ticket_table *t, uint64_t lifetime_ms);
void ticket_fini(struct ticket_table *t);

/* Copies user; text gets TICKET_TEXT characters and a NUL. -1 when TICKET_MAX are open. Source: ticket.c */
int ticket_issue(struct ticket_table *t, struct span service, const struct ticket_user *user, char *text) WARN_UNUSED;

/* Fills *user_r, with strings in arena, and forgets the ticket; false for one that is unknown, used, too old, or of
 * another service (also forgotten). Source: ticket.c */
bool ticket_redeem(struct ticket_table *t, struct span text, struct span service, struct arena *arena,
		   struct ticket_user *user_r);

/* Drops what is too old. Source: ticket.c */
void ticket_sweep(struct ticket_table *t);

#endif
