/* Command lines, messages and id formats of POP3. The first byte chooses the size of chunks. */
#include <stdint.h>

#include "base/attr.h"
#include "base/mem.h"
#include "proto/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void message(struct span in, size_t chunk, uint64_t lines)
{
	struct str out = STR_INIT(2 * in.n + 16);
	struct pop3_writer w;
	size_t at, i;
	bool is_done = false;

	pop3_write_begin(&w, lines);
	for (at = 0; at < in.n && !is_done; at += chunk)
		BUG(pop3_write(&w, span_sub(in, at, chunk), &out, &is_done) < 0);
	BUG(pop3_write_end(&w, &out) < 0);
	BUG(out.n < 3 || memcmp(out.p + out.n - 3, ".\r\n", 3) != 0);
	for (i = 0; i < out.n - 3; i++) {
		bool is_start = i == 0 || out.p[i - 1] == '\n';

		BUG(out.p[i] == '\n' && (i == 0 || out.p[i - 1] != '\r'));
		BUG(is_start && out.p[i] == '.' && out.p[i + 1] != '.');
	}
	str_fini(&out);
}

static void format(struct span in)
{
	struct pop3_uidl id = { 7, 9, in, in };
	struct str out = STR_INIT(1 << 20);
	struct err err = ERR_INIT;
	char *z = xstrndup(in.p, in.n);

	if (pop3_uidl_check(z, &err) == 0 && in.n < 1000) {
		BUG(pop3_uidl(&out, z, &id) < 0);
		BUG(out.n < 1 || out.n > 70);
	}
	str_fini(&out);
	free(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span verb, args, in = { (const char *)data + 1, n - 1 };
	uint64_t v;

	if (n < 2)
		return 0;
	if (pop3_parse(in, &verb, &args) == 0) {
		while (pop3_number(&args, UINT32_MAX, &v) == 0)
			;
	}
	message(in, data[0] % 17 + 1u, UINT64_MAX);
	message(in, data[0] % 17 + 1u, data[0] >> 5);
	format(in);
	return 0;
}
