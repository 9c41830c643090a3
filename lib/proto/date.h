/* date.h: dates of messages (RFC 5322 section 3.3) */
#ifndef PROTO_DATE_H
#define PROTO_DATE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* Minutes east of UTC of the local zone at that time. Reads the zone once (tzset before a chroot). Source: date.c */
int date_local_offset_min(int64_t unix_s);

/* Appends "Sun, 22 Nov 2026 06:22:01 +0000". -1 only at out's limit. Source: date.c */
int date_format(struct str *out, int64_t unix_s, int offset_min) WARN_UNUSED;

/* The same with the zone's name behind it, as Received: has it: "... +0000 (UTC)". Source: date.c */
int date_format_zone(struct str *out, int64_t unix_s) WARN_UNUSED;

/* Reads a date-time with the obsolete forms (two-digit years, named zones, comments, missing seconds or weekday).
 * -1 when it is none; offset_min_r is the zone as written. Source: date.c */
int date_parse(struct span in, int64_t *unix_s_r, int *offset_min_r) WARN_UNUSED;

#endif
