/* delay.h: durations as Postfix's log lines have them */
#ifndef PROTO_DELAY_H
#define PROTO_DELAY_H

#include <stdint.h>

#define DELAY_TEXT 24

/* "0", "0.02", "1.2", "12": two digits at most before it counts in full seconds. Returns out. Source: delay.c */
const char *delay_format(char out[DELAY_TEXT], uint64_t ms);

#endif
