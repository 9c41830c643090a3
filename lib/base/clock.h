/* clock.h: the two clocks, and one that tests can move */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970 (may jump) and since boot (never goes back), and microseconds since 1970. No error, no
 * blocking. Source: clock.c */
uint64_t clock_wall_ms(void);
uint64_t clock_mono_ms(void);
uint64_t clock_wall_us(void);

/* Tests: all clocks stand still at ms until the next call; 0 gives the real ones back. Source: clock.c */
void clock_fake_ms(uint64_t ms);

#endif
