/* mime_header.h: the fields that make up a part's record; mime.c's other half */
#ifndef PROTO_MIME_HEADER_H
#define PROTO_MIME_HEADER_H

#include "proto/mime.h"

/* True when the record keeps a field of that name for m->cur. Source: mime_header.c */
bool mime_header_is_wanted(const struct mime *m, struct span name);

/* Notes a field of m->cur, value with its folding. Source: mime_header.c */
void mime_header_field(struct mime *m, struct span name, struct span value);

/* The header of m->cur is over: sets kind. boundary_r is where its parts are split, p NULL when it has none.
 * Source: mime_header.c */
void mime_header_done(struct mime *m, struct span *boundary_r);

#endif
