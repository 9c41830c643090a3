/* print.h: numbers and dates written by hand: answers about 100,000 messages have no time for printf */
#ifndef IMAPD_PRINT_H
#define IMAPD_PRINT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

#define PRINT_U64_MAX 20        /* digits */
#define PRINT_DATE_MAX 28       /* bytes of an INTERNALDATE with its quotes */

/* Writes n in decimal at to, without NUL; returns the end. Source: print.c */
char *print_u64(char *to, uint64_t n);

/* Writes "22-Nov-2026 06:22:01 +0000" with quotes; returns the end. Years are kept within 0..9999. Source: print.c */
char *print_internaldate(char *to, int64_t unix_s, int offset_min);

#endif
