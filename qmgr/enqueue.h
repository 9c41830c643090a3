/* enqueue.h: the door through which smtpd hands letters in; each is answered after its commit */
#ifndef QMGR_ENQUEUE_H
#define QMGR_ENQUEUE_H

#include "qmgr/qmgr.h"

/* The end of an smtpd's channel; takes *fd. It gets a block of queue ids at once. Source: enqueue.c */
void enqueue_attach(struct qmgr *q, struct span peer, int *fd);

/* Closes all doors; letters without a commit are dropped. Source: enqueue.c */
void enqueue_fini(struct qmgr *q);

#endif
