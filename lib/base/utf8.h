/* utf8.h: validity of UTF-8 (RFC 3629) */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Bytes of the well-formed sequence at p (1..4), or 0: overlong forms, surrogates and values above U+10FFFF are
 * not well-formed. Reads at most n bytes. Source: utf8.c */
size_t utf8_len(const char *p, size_t n);

/* All of s is well-formed. Source: utf8.c */
bool utf8_valid(struct span s);

/* No byte of s is above 127. Source: utf8.c */
bool utf8_is_ascii(struct span s);

#endif
