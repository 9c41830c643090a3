/* uidlist_priv.h: what uidlist.c and uidlist_extend.c share */
#ifndef STORE_UIDLIST_PRIV_H
#define STORE_UIDLIST_PRIV_H

#include <sys/types.h>

#include "store/uidlist.h"

#define UIDLIST_UID_LAST 4294967000u    /* beyond, the mailbox is numbered anew */

/* What uidlist_stat tells of an open file, and its mode. -1 with errno. Source: uidlist_extend.c */
int uidlist_fstat(int fd, struct index_file *f_r, mode_t *mode_r) WARN_UNUSED;

/* Adds the record of a line; false: it is not one that may stay. Source: uidlist.c */
bool uidlist_parse_record(struct uidlist *u, struct span line, bool is_old);

/* -1: out's limit. Source: uidlist.c */
int uidlist_format_record(const struct uidlist_rec *r, struct str *out) WARN_UNUSED;

/* -1 with errno; fewer bytes at the end of the file. Blocks. Source: uidlist.c */
int uidlist_read_all(int fd, off_t from, char *p, size_t n, size_t *got_r) WARN_UNUSED;

#endif
