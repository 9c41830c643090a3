/* header_decode.h: header text for people and for search: RFC 2047 words to UTF-8 */
#ifndef PROTO_HEADER_DECODE_H
#define PROTO_HEADER_DECODE_H

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* Appends value on one line in UTF-8. Encoded words are decoded wherever they stand, blanks between two of them go, and
 * characters cut in two by neighbours of one charset are whole again; broken ones and unknown charsets stay as they
 * are. Bytes that are no UTF-8 become U+FFFD. Time linear in value. -1 at out's limit. Source: header_decode.c */
int header_decode(struct str *out, struct span value) WARN_UNUSED;

#endif
