/* fetch_range.h: bytes of a message as IMAP sends them, in constant memory: bare LF becomes CRLF, NUL becomes 0x80 */
#ifndef IMAPD_FETCH_RANGE_H
#define IMAPD_FETCH_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/* What lies at offset..offset+octets of the file, octets after it has become CRLF as crlf_octets. */
struct fetch_range {
	int fd;
	uint64_t offset, octets, crlf_octets;
};

/* Takes a piece, valid during the call. false: stop, and the caller knows why. */
typedef bool fetch_sink_fn(void *arg, struct span bytes);

struct fetch_sink {
	fetch_sink_fn *fn;
	void *arg;
};

/* Gives n bytes of the range from its byte skip on (both counted with CRLF) in pieces of at most 128 KB. Seeks where
 * every line ends in CRLF already. -1 ERR_SYS; ERR_TEMP: the file is not what it was said to be, less was given;
 * ERR_NONE: the sink stopped. Blocks. Source: fetch_range.c */
int fetch_range_send(const struct fetch_range *r, uint64_t skip, uint64_t n, bool keeps_nul, const struct fetch_sink *sink,
		     struct err *err) WARN_UNUSED;

/* The header that begins at offset, its empty line included, within the limit octets. Blocks. -1 ERR_SYS. Source:
 * fetch_range.c */
int fetch_range_header(int fd, uint64_t offset, uint64_t limit, struct fetch_range *r_r, struct err *err) WARN_UNUSED;

#endif
