/* A session that goes on with what another process left: any bytes for a state. The right UIDVALIDITY is put in, so that
 * folders open; the user's own processes write these states, and a bad one may end the session and nothing else. */
#include <stdint.h>
#include <stdlib.h>

#include "imapd/park.h"
#include "tests/session/imapd/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char input[] = "DONE\r\na NOOP\r\nb FETCH 1:* (UID FLAGS)\r\nc STORE $ +FLAGS.SILENT (\\Seen)\r\nd UID FETCH 1:* (FLAGS)\r\n"
			    "e SEARCH RECENT\r\nf EXPUNGE\r\ng LOGOUT\r\n";

static struct fixture *start(void)
{
	static struct fixture *f;

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	fixture_init(f);
	f->conf.mailbox_defaults = "";
	return f;
}

/* Four letters, numbered, and the UIDVALIDITY that they got. */
static uint32_t fill(struct fixture *f)
{
	struct str output = STR_INIT(1 << 20);
	const char *at;
	uint32_t validity;
	size_t i;

	fixture_empty(f);
	f->start.state = SPAN_NULL;
	for (i = 0; i < 4; i++)
		fixture_letter(f, "", i & 1 ? "S" : "Fa", "one");
	fixture_letter(f, ".a", "", "two");
	fixture_replay(f, SPAN_LIT("a SELECT INBOX\r\nb SELECT a\r\nc LOGOUT\r\n"), 1000, &output);
	at = strstr(output.p, "[UIDVALIDITY ");
	BUG(!at);
	validity = (uint32_t)strtoul(at + 13, NULL, 10);
	str_fini(&output);
	return validity;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str output = STR_INIT(64u << 20), state = STR_INIT(1 << 20);
	struct fixture *f = start();
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct mailbox_place place;
	struct park_state *st;
	uint32_t validity = fill(f);

	f->start.state = (struct span){ (const char *)data, n };
	st = ipc_decode(&park_state_desc, f->start.state, &a, &err);
	if (st && st->place.n == sizeof(place)) {
		memcpy(&place, st->place.p, sizeof(place));
		place.validity = validity;
		st->place = (struct span){ (const char *)&place, sizeof(place) };
		BUG(ipc_encode(&state, &park_state_desc, st) < 0);
		f->start.state = str_span(&state);
	}
	fixture_replay(f, span_z(input), 7, &output);
	arena_fini(&a);
	str_fini(&state);
	str_fini(&output);
	return 0;
}
