/* base64.h: RFC 4648 base64 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/span.h"
#include "base/str.h"

/* Appends the encoding of in, with padding, no line breaks; -1 if out's limit would be exceeded. Source: base64.c */
int base64_encode(struct str *out, struct span in);

/* Appends the decoding; -1 on a byte outside the alphabet, wrong padding, non-zero trailing bits, or the limit.
 * out may then hold a part. Source: base64.c */
int base64_decode(struct str *out, struct span in);

#endif
