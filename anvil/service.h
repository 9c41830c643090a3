/* service.h: what front ends tell over their channels, counted; what a lost channel had open is taken back */
#ifndef ANVIL_SERVICE_H
#define ANVIL_SERVICE_H

#include "anvil/counts.h"
#include "conf/params.h"
#include "io/loop.h"

struct service;

/* The caller frees. conf is copied. Source: service.c */
struct service *service_new(struct loop *loop, const struct anvil_conf *conf);
void service_free(struct service *s);

/* A front end's channel: takes *fd (set -1). Source: service.c */
void service_attach(struct service *s, int *fd);

/* Other limits and times from now on; counts stay. Source: service.c */
void service_configure(struct service *s, const struct anvil_conf *conf);

/* Logs the largest counts since the last time; the timer calls it too. Source: service.c */
void service_report(struct service *s);

/* Clients that are remembered. Source: service.c */
uint64_t service_clients(const struct service *s);

#endif
