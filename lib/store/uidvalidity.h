/* uidvalidity.h: the counter in dovecot-uidvalidity: a folder that takes the name of another one has another
 * UIDVALIDITY */
#ifndef STORE_UIDVALIDITY_H
#define STORE_UIDVALIDITY_H

#include <stdint.h>

#include "base/err.h"
#include "store/mail_store.h"

/* A UIDVALIDITY above all that were ever counted in this Maildir. Blocks. ERR_SYS, ERR_TEMP. Source: uidvalidity.c */
int uidvalidity_next(struct mail_store *s, uint32_t *v_r, struct err *err) WARN_UNUSED;

#endif
