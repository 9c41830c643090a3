/* One feed of the framer equals many. The first byte chooses chunk, limits and what is done with literals. */
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "proto/imap_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void run(struct str *trace, struct span in, size_t chunk, const struct imap_frame_limits *limits, bool streams)
{
	struct imap_frame f;
	size_t base = 0, have = chunk < in.n ? chunk : in.n, used;
	enum imap_frame_rc rc;

	imap_frame_init(&f, limits);
	while (base <= in.n && (rc = imap_frame_next(&f, span_sub(in, base, have - base),
						     &used)) != IMAP_FRAME_TOO_LONG) {
		BUG(used > have - base || (used && in.p[base + used - 1] != '\n'));
		if (rc == IMAP_FRAME_MORE) {
			if (have == in.n)
				break;
			have = have + chunk < in.n ? have + chunk : in.n;
			continue;
		}
		BUG(used == 0);
		BUG(str_addf(trace, "%d %zu ", (int)rc, used) < 0);
		if (rc == IMAP_FRAME_COMMAND || rc == IMAP_FRAME_BAD) {
			BUG(f.text_n >= used);
			BUG(str_add(trace, in.p + base, f.text_n) < 0);
			base += used;
			continue;
		}
		BUG(str_addf(trace, "{%llu}%d%d ", (unsigned long long)f.literal.n, f.literal.is_sync,
			     f.literal.is_binary) < 0);
		if (rc == IMAP_FRAME_TOO_BIG && f.literal.is_sync) {
			imap_frame_init(&f, limits);
			base += used;
		} else if (rc == IMAP_FRAME_TOO_BIG || streams) {
			imap_frame_stream(&f);
			if (f.literal.n > in.n - base - used)
				break;
			base += used + (size_t)f.literal.n;
			have = have < base ? base : have;
		} else {
			imap_frame_accept(&f);
		}
	}
	BUG(str_addf(trace, "end %d", f.state == 3) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str whole = STR_INIT(100 * n + 1000), split = STR_INIT(100 * n + 1000);
	struct imap_frame_limits limits = { 10000, 1000, 100 };
	struct span in = { (const char *)data, n };
	bool streams;

	if (n < 1)
		return 0;
	in = span_from(in, 1);
	if (data[0] & 0x40)
		limits = (struct imap_frame_limits){ 40, 10, 5 };
	streams = data[0] & 0x80;
	run(&whole, in, in.n + 1, &limits, streams);
	run(&split, in, 1 + (data[0] & 0x3f) % 9, &limits, streams);
	BUG(!span_eq(str_span(&whole), str_span(&split)));
	str_fini(&whole);
	str_fini(&split);
	return 0;
}
