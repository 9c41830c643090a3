/* pam.h: asks PAM about one password, and the server of auth-pam that does so in a child per question */
#ifndef AUTH_PAM_H
#define AUTH_PAM_H

#include "svc/daemon.h"
#include "svc/msg_auth.h"
#include "svc/msg_resolve.h"

#define PAM_RUNNING_MAX 16
#define PAM_WAITING_MAX 1024

/* MSG_OK, MSG_NO, or MSG_TEMP when PAM itself is in trouble; text gets PAM's words. confdir: NULL for /etc/pam.d.
 * Without PAM's own delay: auth delays. Blocks as long as the modules do. Source: pam.c */
enum msg_status pam_verify(const char *confdir, const char *service, const char *user, const char *password,
			   const char *remote_addr, char *text, size_t size);

struct pam_server;

/* Makes the child that answers q on fd and ends; returns its pid or -1. */
typedef pid_t pam_fork_fn(void *arg, const struct pam_check *q, int fd);

/* Source: pam_server.c */
struct pam_server *pam_server_new(struct loop *loop, pam_fork_fn *fork_child, void *arg);
void pam_server_free(struct pam_server *s);

/* Takes *fd, the channel to auth; one that was there before is closed and its questions are dropped.
 * Source: pam_server.c */
void pam_server_attach(struct pam_server *s, int *fd);

/* Questions that run or wait. Source: pam_server.c */
uint64_t pam_server_count(const struct pam_server *s);

/* In the child: asks PAM, writes the answer to fd. Source: pam_server.c */
void pam_server_child(const char *confdir, const struct pam_check *q, int fd);

#endif
