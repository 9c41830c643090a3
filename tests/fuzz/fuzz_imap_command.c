/* A whole command through framer, parser and the arguments of every command; what is parsed and written again must
 * come out the same when it is parsed once more. */
#include <stdint.h>

#include "base/attr.h"
#include "base/utf8.h"
#include "proto/imap_append_args.h"
#include "proto/imap_fetch_items.h"
#include "proto/imap_frame.h"
#include "proto/imap_list_args.h"
#include "proto/imap_parse.h"
#include "proto/imap_pattern.h"
#include "proto/imap_select_args.h"
#include "proto/imap_seqset.h"
#include "proto/imap_store_args.h"
#include "proto/imap_utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void set_check(struct arena *a, const struct imap_seqset *set)
{
	struct str one = STR_INIT(1 << 22), two = STR_INIT(1 << 22);
	struct imap_seqset again, resolved;
	struct imap_seqset_iter it = { 0 };
	struct err err = ERR_INIT;
	struct imap_parse p;
	uint32_t n, last = 0;
	size_t i;

	for (i = 0; i < set->n; i++) {
		BUG(set->ranges[i].lo == 0 || set->ranges[i].lo > set->ranges[i].hi);
		BUG(i && set->ranges[i].lo - 1 <= set->ranges[i - 1].hi);
	}
	BUG(imap_seqset_format(&one, set) < 0);
	imap_parse_init(&p, a, str_span(&one));
	BUG(one.n == 0 || imap_seqset_parse(&p, &again, &err) < 0 || imap_parse_end(&p, &err) < 0);
	BUG(imap_seqset_format(&two, &again) < 0 || !span_eq(str_span(&one), str_span(&two)));
	imap_seqset_resolve(set, 100, NULL, a, &resolved);
	for (i = 0; imap_seqset_next(&resolved, &it, &n); i++) {
		BUG(n <= last || n > 100 || !imap_seqset_has(&resolved, n));
		last = n;
	}
	BUG(i != imap_seqset_count(&resolved));
	str_fini(&one);
	str_fini(&two);
}

static void fetch(struct imap_parse p)
{
	struct str one = STR_INIT(1 << 22), two = STR_INIT(1 << 22);
	struct imap_fetch f, again;
	struct imap_parse q;
	struct err err = ERR_INIT;
	size_t i;

	if (imap_fetch_items_parse(&p, &f, &err) < 0)
		return;
	BUG(f.n == 0);
	for (i = 0; i < f.n; i++) {
		struct imap_fetch_item *it = &f.items[i];

		str_reset(&one);
		str_reset(&two);
		BUG(imap_fetch_items_name(&one, it) < 0);
		if (it->is_partial) {   /* as in a request, which has a length */
			str_cut(&one, one.n - 1);
			BUG(str_addz(&one, ".7>") < 0);
		}
		imap_parse_init(&q, p.arena, str_span(&one));
		BUG(imap_fetch_items_parse(&q, &again, &err) < 0 || again.n != 1);
		BUG(again.items->kind != it->kind || again.items->n_parts != it->n_parts ||
		    again.items->offset != it->offset);
		BUG(imap_fetch_items_name(&two, again.items) < 0);
		if (it->is_partial) {
			str_cut(&two, two.n - 1);
			BUG(str_addz(&two, ".7>") < 0);
		}
		BUG(!span_eq(str_span(&one), str_span(&two)));
	}
	str_fini(&one);
	str_fini(&two);
}

static void name_check(struct span name)
{
	struct str utf8 = STR_INIT(3 * name.n + 4), utf7 = STR_INIT(5 * name.n + 8);

	if (imap_utf7_decode(&utf8, name) == 0) {
		BUG(!utf8_valid(str_span(&utf8)));
		BUG(imap_utf7_encode(&utf7, str_span(&utf8)) < 0 || !span_eq(str_span(&utf7), name));
	}
	str_reset(&utf7);
	str_reset(&utf8);
	if (imap_utf7_encode(&utf7, name) == 0)
		BUG(imap_utf7_decode(&utf8, str_span(&utf7)) < 0 || !span_eq(str_span(&utf8), name));
	str_fini(&utf8);
	str_fini(&utf7);
}

static void list(struct imap_parse p)
{
	struct imap_pattern pat;
	struct imap_parse q = p;
	struct err err = ERR_INIT;
	struct imap_list l;
	size_t i;

	(void)!imap_list_args_lsub(&q, &l, &err);
	if (imap_list_args_parse(&p, &l, &err) < 0)
		return;
	BUG(l.n == 0);
	for (i = 0; i < l.n; i++) {
		if (l.patterns[i].n < 200 && imap_pattern_init(&pat, p.arena, SPAN_NULL, l.patterns[i], '/') == 0)
			(void)imap_pattern_match(&pat, span_sub(l.reference, 0, 200));
	}
}

static void arguments(struct imap_parse p)
{
	struct imap_parse q = p;
	struct imap_select select;
	struct imap_append append;
	struct imap_store store;
	struct imap_seqset set;
	struct err err = ERR_INIT;
	struct span v;
	unsigned items;

	list(p);
	if (imap_select_args_parse(&q, '/', &select, &err) == 0) {
		name_check(select.mailbox);
		if (select.has_match)
			BUG(imap_seqset_count(&select.match_seqs) != imap_seqset_count(&select.match_uids));
	}
	q = p;
	if (imap_store_args_parse(&q, &store, &err) == 0)
		set_check(p.arena, &store.set);
	q = p;
	if (imap_append_args_next(&q, false, &append, &err) == 0)
		BUG(!append.is_end && imap_parse_peek(&q) >= 0);
	q = p;
	if (imap_parse_sp(&q, "set", &err) == 0 && imap_seqset_parse(&q, &set, &err) == 0) {
		set_check(p.arena, &set);
		if (imap_parse_sp(&q, "items", &err) == 0)
			fetch(q);
	}
	q = p;
	while (imap_parse_sp(&q, "argument", &err) == 0) {
		struct imap_parse r = q;

		fetch(q);
		(void)!imap_list_args_status(&r, &items, &err);
		if (imap_parse_nstring(&q, "argument", &v, &err) < 0 &&
		    imap_parse_astring(&q, "argument", &v, &err) < 0)
			break;
		name_check(v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct imap_frame_limits limits = { 65536, 65536, 65536 };
	struct span in = { (const char *)data, n };
	struct arena arena = { 0 };
	struct imap_frame f;
	size_t used;
	enum imap_frame_rc rc;

	imap_frame_init(&f, &limits);
	while ((rc = imap_frame_next(&f, in, &used)) != IMAP_FRAME_MORE && rc != IMAP_FRAME_TOO_LONG &&
	       rc != IMAP_FRAME_TOO_BIG) {
		struct imap_command cmd;
		struct imap_parse p;
		struct err err = ERR_INIT;

		if (rc == IMAP_FRAME_SYNC || rc == IMAP_FRAME_NONSYNC) {
			imap_frame_accept(&f);
			continue;
		}
		imap_parse_init(&p, &arena, span_sub(in, 0, f.text_n));
		if (imap_parse_command(&p, &cmd, &err) == 0)
			arguments(p);
		else
			BUG(err.kind != ERR_PROTO || !err.msg[0]);
		in = span_from(in, used);
	}
	arena_fini(&arena);
	return 0;
}
