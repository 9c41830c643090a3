#include "proto/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void on_bytes(void *arg, struct span s)
{
	BUG(str_add_span(arg, s) < 0);
}

static void on_end(void *arg, bool needs_blank)
{
	(void)!str_addz(arg, "");
}

static const struct header_events events = { on_bytes, on_end };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const drop[] = { "Bcc", NULL };
	struct span in = { (const char *)data, n }, name, value;
	struct str whole = STR_INIT(10000000), split = STR_INIT(10000000);
	struct header_filter h;
	size_t i;

	header_filter_init(&h, &events, &whole, NULL);
	header_filter_feed(&h, in);
	header_filter_finish(&h);
	/* lines of an mbox in front of the header get a name */
	BUG(!span_eq(in, str_span(&whole)) && !(n && (data[0] == 'F' || data[0] == '>')));
	str_reset(&whole);
	header_filter_init(&h, &events, &whole, drop);
	header_filter_feed(&h, in);
	header_filter_finish(&h);
	header_filter_init(&h, &events, &split, drop);
	for (i = 0; i < n; i++)
		header_filter_feed(&h, span_sub(in, i, 1));
	header_filter_finish(&h);
	BUG(!span_eq(str_span(&split), str_span(&whole)));
	while (header_next(&in, &name, &value))
		;
	str_fini(&whole);
	str_fini(&split);
	return 0;
}
