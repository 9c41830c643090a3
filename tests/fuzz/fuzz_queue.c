/* The record decoder: any bytes, and what it accepts must survive a round trip. */
#include <stdint.h>
#include <stdlib.h>

#include "store/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct str once = STR_INIT(1 << 24), twice = STR_INIT(1 << 24);
	struct queue_msg m, again;
	struct err err = ERR_INIT;
	uint64_t id;

	if (queue_id_parse((struct span){ (const char *)data, n }, &id) == 0) {
		char name[QUEUE_ID_LEN + 1];
		uint64_t back;

		queue_id_print(name, id);
		if (queue_id_parse(span_z(name), &back) < 0 || back != id)
			abort();
	}
	if (queue_decode(&m, 1, (struct span){ (const char *)data, n }, &a, &err) == 0) {
		if (queue_encode(&once, &m) < 0 || queue_decode(&again, 1, str_span(&once), &a, &err) < 0 ||
		    queue_encode(&twice, &again) < 0 || !span_eq(str_span(&once), str_span(&twice)))
			abort();
	}
	str_fini(&once);
	str_fini(&twice);
	arena_fini(&a);
	return 0;
}
