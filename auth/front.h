/* front.h: auth as smtpd, login, pop3d and imapd see it: exchanges, delays, tickets
 *
 * One exchange:
 *   start ──▶ WAITING (a penalised address) ──▶ WORKING ◀──▶ CLIENT (a challenge is out)
 *                                               WORKING ──▶ PAM ──▶ WORKING
 *                                               WORKING ──▶ done, or DELAYED ──▶ done (a failure)
 * auth_abort, the end of the channel, or five minutes in CLIENT end it from any state.
 */
#ifndef AUTH_FRONT_H
#define AUTH_FRONT_H

#include "auth/pool.h"
#include "svc/msg_auth.h"

#define FRONT_EXCHANGES_MAX 1024        /* under way on one channel */
#define FRONT_CLIENT_MS 300000u

struct front;

/* settings must outlive it (or until front_configure). Source: front.c */
struct front *front_new(struct loop *loop, const struct settings *s, pool_spawn_fn *spawn, void *arg);
void front_free(struct front *f);

/* Each takes *fd: a channel to smtpd or login; to pop3d or imapd; to auth-pam (replaces the one before).
 * Source: front.c */
void front_attach(struct front *f, int *fd);
void front_attach_tickets(struct front *f, int *fd);
void front_attach_pam(struct front *f, int *fd);

/* After a reload: tells all front ends the mechanisms, gives new workers s. Source: front.c */
void front_configure(struct front *f, const struct settings *s);

/* Exchanges under way. Source: front.c */
uint64_t front_count(const struct front *f);

#endif
