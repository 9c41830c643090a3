/* networks.h: lists of networks, with the files and tables they name written out */
#ifndef CONF_NETWORKS_H
#define CONF_NETWORKS_H

#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

/* Appends list to *out; "/file" becomes the words of that file, "cidr:/file" and "texthash:/file" the first word of
 * each line, "hash:/file" (lmdb:, btree:) the addresses and names that are keys of that table. "!" in front of a
 * file goes to each of its words. -1 ERR_CONF, ERR_SYS or ERR_TEMP: a file that cannot be read, another type of
 * table, a network as a key, files within files more than three deep. Blocks on files. Source: networks.c */
int networks_inline(struct str *out, struct span list, struct err *err) WARN_UNUSED;

#endif
