#include "imapd/search.h"

#include "imapd/print.h"
#include "imapd/session.h"

#define OUT_MAX (1u << 30)

bool search_answer_parse(struct session *s, struct command *c, enum imap_search_command verb, struct imap_search *req_r, int *rc_r)
{
	struct err err = ERR_INIT;

	memset(req_r, 0, sizeof(*req_r));
	if (imap_parse_sp(&c->args, "search keys", &err) == 0 && imap_search_parse(&c->args, verb, NULL, req_r, &err) == 0) {
		if (!req_r->needs_modseq || session_enable_condstore(s) == 0)
			return true;
		*rc_r = CMD_END;
		return false;
	}
	if (req_r->is_bad_charset) {
		if (req_r->returns & IMAP_SEARCH_SAVE)
			session_save(s, NULL, 0);
		*rc_r = session_no(s, c, "[BADCHARSET (UTF-8 US-ASCII)] Unknown charset.");
	} else
		*rc_r = session_fail(s, c, NULL, &err);
	return false;
}

static uint32_t number(const struct session *s, const struct command *c, uint32_t i)
{
	return c->is_uid ? s->box->v[i].uid : i + 1;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* "$" (RFC 5182 section 2.1): MIN and MAX alone save only what they name. */
static void save(struct session *s, const struct imap_search *req, const uint32_t *hits, size_t n)
{
	uint32_t *uids = arena_alloc(&s->tick, (n + 1) * sizeof(*uids));
	bool saves_all = !(req->returns & (IMAP_SEARCH_MIN | IMAP_SEARCH_MAX)) ||
			 req->returns & (IMAP_SEARCH_RETURN_ALL | IMAP_SEARCH_COUNT);
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (saves_all || (i == 0 && req->returns & IMAP_SEARCH_MIN) || (i == n - 1 && req->returns & IMAP_SEARCH_MAX))
			uids[k++] = s->box->v[hits[i]].uid;
	}
	qsort(uids, k, sizeof(*uids), by_number);
	session_save(s, uids, k);
}

/* The highest modseq of what is told (RFC 7162 section 3.1.10). */
static uint64_t highest(const struct session *s, const struct imap_search *req, const uint32_t *hits, size_t n)
{
	bool ends_only = req->has_return && !(req->returns & (IMAP_SEARCH_RETURN_ALL | IMAP_SEARCH_COUNT)) &&
			 req->returns & (IMAP_SEARCH_MIN | IMAP_SEARCH_MAX);
	uint64_t max = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (ends_only && !(i == 0 && req->returns & IMAP_SEARCH_MIN) && !(i == n - 1 && req->returns & IMAP_SEARCH_MAX))
			continue;
		max = s->box->v[hits[i]].modseq > max ? s->box->v[hits[i]].modseq : max;
	}
	return max;
}

static int add_word(struct str *out, const char *word, uint64_t n)
{
	return str_addz(out, word) < 0 ? -1 : str_add_u64(out, n);
}

static int add_set(struct session *s, struct command *c, struct str *out, const uint32_t *hits, size_t n)
{
	struct imap_seqset_writer w;
	size_t i;

	imap_seqset_write_begin(&w, out);
	for (i = 0; i < n; i++) {
		if (imap_seqset_write(&w, number(s, c, hits[i])) < 0)
			return -1;
	}
	return imap_seqset_write_end(&w);
}

static int add_esearch(struct session *s, struct command *c, const struct imap_search *req, unsigned returns, struct str *out,
		       const uint32_t *hits, size_t n)
{
	if (str_addz(out, "* ESEARCH (TAG \"") < 0 || str_add_span(out, c->tag) < 0 ||
	    str_addz(out, c->is_uid ? "\") UID" : "\")") < 0)
		return -1;
	if (n && returns & IMAP_SEARCH_MIN && add_word(out, " MIN ", number(s, c, hits[0])) < 0)
		return -1;
	if (n && returns & IMAP_SEARCH_MAX && add_word(out, " MAX ", number(s, c, hits[n - 1])) < 0)
		return -1;
	if (n && returns & IMAP_SEARCH_RETURN_ALL && (str_addz(out, " ALL ") < 0 || add_set(s, c, out, hits, n) < 0))
		return -1;
	if (returns & IMAP_SEARCH_COUNT && add_word(out, " COUNT ", n) < 0)
		return -1;
	if (n && req->needs_modseq && add_word(out, " MODSEQ ", highest(s, req, hits, n)) < 0)
		return -1;
	return str_addz(out, "\r\n");
}

static int add_list(struct session *s, struct command *c, const struct imap_search *req, const char *verb, struct str *out,
		    const uint32_t *hits, size_t n)
{
	char *start, *to;
	size_t i;

	if (str_addz(out, verb) < 0 || !(start = str_room(out, n * (PRINT_U64_MAX / 2 + 1))))
		return -1;
	for (to = start, i = 0; i < n; i++) {
		*to++ = ' ';
		to = print_u64(to, number(s, c, hits[i]));
	}
	str_grew(out, (size_t)(to - start));
	if (n && req->needs_modseq && (add_word(out, " (MODSEQ ", highest(s, req, hits, n)) < 0 || str_addc(out, ')') < 0))
		return -1;
	return str_addz(out, "\r\n");
}

int search_answer(struct session *s, struct command *c, const struct imap_search *req, enum imap_search_command verb,
		  const uint32_t *hits, size_t n)
{
	bool is_sort = verb == IMAP_SEARCH_SORT, is_extended = req->has_return || (s->enabled & ENABLED_REV2 && !is_sort);
	unsigned returns = req->has_return ? req->returns : IMAP_SEARCH_RETURN_ALL;
	struct str out = STR_INIT(OUT_MAX);
	int rc = 0;

	if (returns & IMAP_SEARCH_SAVE)
		save(s, req, hits, n);
	if (!is_extended)
		rc = add_list(s, c, req, is_sort ? "* SORT" : "* SEARCH", &out, hits, n);
	else if (returns != IMAP_SEARCH_SAVE)
		rc = add_esearch(s, c, req, returns, &out, hits, n);
	if (rc < 0)
		(void)session_end(s, "an answer grew too long");
	else
		rc = session_put(s, str_span(&out));
	str_fini(&out);
	return rc < 0 ? CMD_END : session_ok(s, c, is_sort ? "Sort completed." : "Search completed.");
}
