#include "proto/delay.h"

#include <inttypes.h>
#include <stdio.h>

const char *delay_format(char out[DELAY_TEXT], uint64_t ms)
{
	if (ms >= 10000)
		snprintf(out, DELAY_TEXT, "%" PRIu64, ms / 1000 + (ms % 1000 >= 500));
	else if (ms >= 1000)
		snprintf(out, DELAY_TEXT, "%" PRIu64 ".%" PRIu64, ms / 1000, ms % 1000 / 100);
	else if (ms >= 10)
		snprintf(out, DELAY_TEXT, "0.%02" PRIu64, ms / 10);
	else
		snprintf(out, DELAY_TEXT, ms ? "0.01" : "0");
	return out;
}
