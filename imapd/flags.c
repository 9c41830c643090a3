#include "imapd/session.h"

static const struct {
	uint32_t bit;
	const char *name;
} names[] = {
	{ INDEX_ANSWERED, "\\Answered" }, { INDEX_FLAGGED, "\\Flagged" }, { INDEX_DELETED, "\\Deleted" },
	{ INDEX_SEEN, "\\Seen" }, { INDEX_DRAFT, "\\Draft" },
};

static int add_word(struct str *out, size_t start, struct span word)
{
	if (out->n > start && str_addc(out, ' ') < 0)
		return -1;
	return str_add_span(out, word);
}

static int add_flags(struct str *out, size_t start, const struct keywords *k, uint32_t flags, bool is_recent)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if ((flags & names[i].bit) && add_word(out, start, span_z(names[i].name)) < 0)
			return -1;
	}
	if (is_recent && add_word(out, start, SPAN_LIT("\\Recent")) < 0)
		return -1;
	flags /= INDEX_KEYWORD;
	for (i = 0; flags; i++, flags >>= 1) {
		if ((flags & 1) && i < INDEX_KEYWORDS && k->name[i].n && add_word(out, start, k->name[i]) < 0)
			return -1;
	}
	return 0;
}

int flags_print(struct str *out, const struct keywords *k, uint32_t flags, bool is_recent)
{
	if (str_addc(out, '(') < 0 || add_flags(out, out->n, k, flags, is_recent) < 0)
		return -1;
	return str_addc(out, ')');
}

static size_t count_keywords(const struct keywords *k)
{
	size_t i, n = 0;

	for (i = 0; i < INDEX_KEYWORDS; i++)
		n += k->name[i].n > 0;
	return n;
}

int flags_tell(struct session *s, bool with_permanent)
{
	const struct keywords *k = &s->box->keywords;
	struct str all = STR_INIT(16384);
	const char *more = count_keywords(k) < INDEX_KEYWORDS ? " \\*" : "";
	int rc;

	BUG(add_flags(&all, 0, k, UINT32_MAX, false) < 0);
	rc = session_putf(s, "* FLAGS (%s)\r\n", all.p);
	if (rc == 0 && with_permanent && s->box->is_read_only)
		rc = session_putf(s, "* OK [PERMANENTFLAGS ()] Read-only mailbox.\r\n");
	else if (rc == 0 && with_permanent)
		rc = session_putf(s, "* OK [PERMANENTFLAGS (%s%s)] Flags permitted.\r\n", all.p, more);
	str_fini(&all);
	return rc;
}

int flags_bits(struct session *s, const struct imap_flags *f, bool may_add, uint32_t *bits_r, struct err *err)
{
	struct keywords *k = &s->box->keywords;
	size_t i, before = count_keywords(k);

	*bits_r = f->bits & INDEX_SYSTEM_FLAGS;
	for (i = 0; i < f->n; i++) {
		int at = keywords_find(k, s->box->md.fd, f->keywords[i], may_add ? KEYWORDS_ADD : KEYWORDS_KNOWN, err);

		if (at >= 0)
			*bits_r |= (uint32_t)INDEX_KEYWORD << at;
		else if (may_add || err->kind == ERR_SYS)
			return -1;
	}
	if (count_keywords(k) == before)
		return 0;
	/* the client must know a keyword before it is told that a message has it */
	*err = (struct err)ERR_INIT;
	return flags_tell(s, true);
}
