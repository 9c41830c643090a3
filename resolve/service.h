/* service.h: answers what smtpd and qmgr ask over their channels */
#ifndef RESOLVE_SERVICE_H
#define RESOLVE_SERVICE_H

#include "io/loop.h"
#include "resolve/dns.h"
#include "resolve/rules.h"

struct service;

/* rules and dns become the service's; the caller frees the service. Source: service.c */
struct service *service_new(struct loop *loop, struct rules *rules, struct dns *dns);
void service_free(struct service *s);

/* A peer's channel, by the peer's name (only qmgr is believed about mailboxes): takes *fd (set -1). Its end, orderly
 * or not, ends only this peer. Source: service.c */
void service_attach(struct service *s, struct span name, int *fd);

/* Answers by other rules from now on; names that are being searched are answered "not now" when dns changes (NULL: it
 * stays). Source: service.c */
void service_change(struct service *s, struct rules *rules, struct dns *dns);

#endif
