/* replace.h: a finished file takes the place of another in one step that survives a power cut */
#ifndef CONF_REPLACE_H
#define CONF_REPLACE_H

#include "base/err.h"

/* Renames temp, whose content the caller has synced, to path in the same directory and syncs that. -1 ERR_SYS: temp may
 * still be there. Blocks. Source: replace.c */
int replace_commit(const char *temp, const char *path, struct err *err) WARN_UNUSED;

#endif
