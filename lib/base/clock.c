#include "base/clock.h"

#include <time.h>

static uint64_t fake_ms;

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;

	if (fake_ms)
		return fake_ms * 1000;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

uint64_t clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

void clock_fake_ms(uint64_t ms)
{
	fake_ms = ms;
}
