/* index_check.h: what an index says of a folder against what lies on disk */
#ifndef TOOLS_INDEX_CHECK_H
#define TOOLS_INDEX_CHECK_H

#include "store/mailbox.h"

/* Called for each difference, with a sentence. */
typedef void index_check_fn(void *arg, const char *text);

/* Compares names, flags, UIDs, sizes, counters and (by reading every file) records of b, which is open and loaded.
 * 0, however much differs; -1 when it cannot be done. Changes nothing. Blocks. Source: index_check.c */
int index_check(struct mailbox *b, index_check_fn *fn, void *arg, struct err *err) WARN_UNUSED;

#endif
