#include "imapd/fetch_flags.h"

#include "imapd/session.h"

#define TEXT_MAX 16384          /* all flags and 26 keywords of the greatest length fit */

struct span fetch_flags_text(struct fetch_flags *c, uint32_t flags, bool is_recent)
{
	size_t i = (flags ^ flags >> 6 ^ flags >> 17 ^ (is_recent ? 32u : 0)) % FETCH_FLAGS_SLOTS;

	if (!c->slot[i].is_used || c->slot[i].flags != flags || c->slot[i].is_recent != is_recent) {
		if (!c->slot[i].is_used)
			str_init(&c->slot[i].text, TEXT_MAX);
		str_reset(&c->slot[i].text);
		c->slot[i].is_used = true;
		c->slot[i].flags = flags;
		c->slot[i].is_recent = is_recent;
		BUG(flags_print(&c->slot[i].text, c->k, flags, is_recent) < 0);
	}
	return str_span(&c->slot[i].text);
}

void fetch_flags_fini(struct fetch_flags *c)
{
	size_t i;

	for (i = 0; i < FETCH_FLAGS_SLOTS; i++) {
		if (c->slot[i].is_used)
			str_fini(&c->slot[i].text);
		c->slot[i].is_used = false;
	}
}
