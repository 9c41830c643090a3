/* route.h: where a recipient goes; the one answer for RCPT and for delivery */
#ifndef RESOLVE_ROUTE_H
#define RESOLVE_ROUTE_H

#include "resolve/lookup.h"

/* Answers every question: what goes wrong is a DEFER (our fault) or a REJECT (no such recipient). Spans of *out are in
 * a or in q. May block shortly on files of tables. Source: route.c */
void route_get(struct route *out, const struct rules *r, const struct route_query *q, struct arena *a);

#endif
