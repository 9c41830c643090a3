/* maildir_name.h: the part of a file name behind ":2,": flags, keyword letters, and what others put there */
#ifndef STORE_MAILDIR_NAME_H
#define STORE_MAILDIR_NAME_H

#include <limits.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/* The part before the first ':'. Source: maildir_name.c */
struct span maildir_name_base(struct span name);

/* enum index_flag of a name: D F R S T and the keyword letters a to z; other letters mean nothing here.
 * Source: maildir_name.c */
uint32_t maildir_name_flags(struct span name);

/* The name with these flags instead, for cur/: letters in the order of the alphabet, those that are not ours kept.
 * -1: it would be longer than a name may be. Source: maildir_name.c */
int maildir_name_make(char out[NAME_MAX + 1], struct span name, uint32_t flags) WARN_UNUSED;

#endif
