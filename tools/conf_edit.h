/* conf_edit.h: changes single parameters in the text of main.cf and leaves everything else as it was */
#ifndef TOOLS_CONF_EDIT_H
#define TOOLS_CONF_EDIT_H

#include "base/err.h"
#include "base/str.h"

/* Appends to *out the text with name set to value: the first definition is replaced in its place, later ones go away, a
 * name that was not there comes at the end. value NULL takes the definitions out; with as_comment they stay as
 * comments. -1 when out's limit is reached. Source: conf_edit.c */
int conf_edit_text(struct str *out, struct span text, struct span name, const char *value, bool as_comment) WARN_UNUSED;

/* Replaces path by text in one step (temporary file, sync, rename, sync of the directory), with owner and rights kept.
 * -1 ERR_SYS: the file is as it was. Blocks. Source: conf_edit.c */
int conf_edit_write(const char *path, struct span text, struct err *err) WARN_UNUSED;

#endif
