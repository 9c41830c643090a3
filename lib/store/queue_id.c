#include "store/queue.h"

/* In ASCII order, so that printed ids sort as the numbers do. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void queue_id_print(char out[QUEUE_ID_LEN + 1], uint64_t id)
{
	size_t i;

	for (i = QUEUE_ID_LEN; i-- > 0; id >>= 5)
		out[i] = digits[id & 31];
	out[QUEUE_ID_LEN] = '\0';
}

static int digit(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int queue_id_parse(struct span s, uint64_t *id_r)
{
	uint64_t id = 0;
	size_t i;

	if (s.n != QUEUE_ID_LEN || digit(s.p[0]) > 15)
		return -1;
	for (i = 0; i < s.n; i++) {
		int d = digit(s.p[i]);

		if (d < 0)
			return -1;
		id = id << 5 | (uint64_t)d;
	}
	*id_r = id;
	return 0;
}
