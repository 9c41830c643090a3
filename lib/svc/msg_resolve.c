#include "svc/msg_resolve.h"

#include <string.h>

IPC_DESC(rcpt_check, RCPT_CHECK_FIELDS, MSG_RCPT_CHECK)
IPC_DESC(rcpt_verdict, RCPT_VERDICT_FIELDS, MSG_RCPT_VERDICT)
IPC_DESC(map_key, MAP_KEY_FIELDS, 0)
IPC_DESC(map_query, MAP_QUERY_FIELDS, MSG_MAP_QUERY)
IPC_DESC(map_value, MAP_VALUE_FIELDS, MSG_MAP_VALUE)
IPC_DESC(ptr_query, PTR_QUERY_FIELDS, MSG_PTR_QUERY)
IPC_DESC(ptr_name, PTR_NAME_FIELDS, MSG_PTR_NAME)
IPC_DESC(route_query, ROUTE_QUERY_FIELDS, MSG_ROUTE_QUERY)
IPC_DESC(route_new, ROUTE_NEW_FIELDS, 0)
IPC_DESC(route, ROUTE_FIELDS, MSG_ROUTE)
IPC_DESC(route_full, ROUTE_FULL_FIELDS, MSG_ROUTE_FULL)

#define PART_BYTES 48000u       /* what else the frame says is short */

struct ipc_list msg_resolve_part(const struct ipc_list *all, size_t from)
{
	struct route_new *v = all->v;
	size_t bytes = 0, i;

	if (from >= all->n)
		return (struct ipc_list){ 0 };
	for (i = from; i < all->n; i++) {
		bytes += 48 + v[i].address.n + v[i].as_user.n + v[i].via.n;
		if (i > from && bytes > PART_BYTES)
			break;
	}
	return (struct ipc_list){ v + from, i - from };
}

/* The array of n elements has that many places: whoever sends them one by one must not make us copy all for each. */
static size_t places(size_t n)
{
	size_t max = 64;

	while (max < n)
		max *= 2;
	return max;
}

void msg_resolve_gather(struct ipc_list *to, const struct ipc_list *part, struct arena *a)
{
	const struct route_new *from = part->v;
	struct route_new *v = to->v;
	size_t i;

	if (to->n == 0 || to->n + part->n > places(to->n)) {
		v = arena_alloc(a, places(to->n + part->n) * sizeof(*v));
		if (to->n)
			memcpy(v, to->v, to->n * sizeof(*v));
	}
	for (i = 0; i < part->n; i++)
		v[to->n + i] = (struct route_new){ arena_span(a, from[i].address), from[i].kind,
						   arena_span(a, from[i].as_user), arena_span(a, from[i].via) };
	*to = (struct ipc_list){ v, to->n + part->n };
}
