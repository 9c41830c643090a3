#include "proto/imap_fetch_items.h"

#include <inttypes.h>
#include <string.h>

#include "proto/imap_quote.h"

#define ITEMS_MAX 500           /* each is done for each message */

#define BIT(kind) (1u << (kind))
#define HAS_SECTION (BIT(IMAP_FETCH_BODY) | BIT(IMAP_FETCH_BINARY) | BIT(IMAP_FETCH_BINARY_SIZE))
#define SETS_SEEN (BIT(IMAP_FETCH_BODY) | BIT(IMAP_FETCH_BINARY) | BIT(IMAP_FETCH_RFC822) | BIT(IMAP_FETCH_RFC822_TEXT))

static const struct item_name {
	const char *name;
	enum imap_fetch_kind kind;
	enum imap_fetch_text text;
	bool is_peek;
} names[] = {
	{ "UID", IMAP_FETCH_UID },
	{ "FLAGS", IMAP_FETCH_FLAGS },
	{ "INTERNALDATE", IMAP_FETCH_INTERNALDATE },
	{ "RFC822.SIZE", IMAP_FETCH_SIZE },
	{ "MODSEQ", IMAP_FETCH_MODSEQ },
	{ "ENVELOPE", IMAP_FETCH_ENVELOPE },
	{ "BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE },
	{ "RFC822", IMAP_FETCH_RFC822 },
	{ "RFC822.HEADER", IMAP_FETCH_RFC822_HEADER, IMAP_FETCH_HEADER },
	{ "RFC822.TEXT", IMAP_FETCH_RFC822_TEXT, IMAP_FETCH_TEXT },
	{ "BODY", IMAP_FETCH_BODY },
	{ "BODY.PEEK", IMAP_FETCH_BODY, IMAP_FETCH_ALL, true },
	{ "BINARY", IMAP_FETCH_BINARY },
	{ "BINARY.PEEK", IMAP_FETCH_BINARY, IMAP_FETCH_ALL, true },
	{ "BINARY.SIZE", IMAP_FETCH_BINARY_SIZE },
};

static const struct {
	const char *name;
	enum imap_fetch_text text;
} texts[] = {
	{ "HEADER", IMAP_FETCH_HEADER }, { "HEADER.FIELDS", IMAP_FETCH_FIELDS },
	{ "HEADER.FIELDS.NOT", IMAP_FETCH_FIELDS_NOT }, { "TEXT", IMAP_FETCH_TEXT }, { "MIME", IMAP_FETCH_MIME },
};

struct builder {
	struct imap_parse *p;
	struct imap_fetch f;
	size_t cap;
};

static int add(struct builder *b, const struct imap_fetch_item *item, struct err *err)
{
	if (!(BIT(item->kind) & HAS_SECTION) && (b->f.kinds & BIT(item->kind)))
		return 0;
	if (b->f.n == ITEMS_MAX)
		return err_set(err, ERR_PROTO, "Too many FETCH items");
	if (b->f.n == b->cap) {
		struct imap_fetch_item *grown;

		b->cap = b->cap ? 2 * b->cap : 8;
		grown = arena_alloc(b->p->arena, b->cap * sizeof(*grown));
		if (b->f.n)
			memcpy(grown, b->f.items, b->f.n * sizeof(*grown));
		b->f.items = grown;
	}
	b->f.items[b->f.n++] = *item;
	b->f.kinds |= BIT(item->kind);
	b->f.sets_seen |= !item->is_peek;
	return 0;
}

static int add_simple(struct builder *b, enum imap_fetch_kind kind, struct err *err)
{
	struct imap_fetch_item item = { .kind = kind, .is_peek = true };

	return add(b, &item, err);
}

/* ---- sections ---- */

/* An ftext of RFC 5322 section 2.2, in capitals. */
static int field_name(struct imap_parse *p, struct span *v_r, struct err *err)
{
	struct span v;
	char *z;
	size_t i;

	if (imap_parse_astring(p, "header field name", &v, err) < 0)
		return -1;
	z = arena_strndup(p->arena, v.p, v.n);
	for (i = 0; i < v.n; i++) {
		if (z[i] <= ' ' || z[i] >= 0x7f || z[i] == ':')
			break;
		if (z[i] >= 'a' && z[i] <= 'z')
			z[i] = (char)(z[i] - 'a' + 'A');
	}
	*v_r = (struct span){ z, v.n };
	return v.n == 0 || i < v.n ? err_set(err, ERR_PROTO, "Invalid header field name") : 0;
}

static int fields(struct imap_parse *p, struct imap_fetch_item *item, struct err *err)
{
	size_t cap = 0;
	int rc;

	if (imap_parse_sp(p, "header field names", err) < 0 || imap_parse_list_begin(p, "header field names", err) < 0)
		return -1;
	while ((rc = imap_parse_list_more(p, item->n_fields, err)) > 0) {
		if (item->n_fields == cap) {
			struct span *grown;

			cap = cap ? 2 * cap : 16;
			grown = arena_alloc(p->arena, cap * sizeof(*grown));
			if (item->n_fields)
				memcpy(grown, item->fields, item->n_fields * sizeof(*grown));
			item->fields = grown;
		}
		if (field_name(p, &item->fields[item->n_fields], err) < 0)
			return -1;
		item->n_fields++;
	}
	if (rc < 0)
		return -1;
	return item->n_fields ? 0 : err_set(err, ERR_PROTO, "Missing header field name");
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* "1.2.", the last dot only before a text. */
static int part_numbers(struct imap_parse *p, struct imap_fetch_item *item, bool *dot_r, struct err *err)
{
	struct span rest = span_from(p->in, p->at);
	size_t i, cap = 1;

	*dot_r = false;
	for (i = 0; i < rest.n && (is_digit(rest.p[i]) || rest.p[i] == '.'); i++)
		cap += rest.p[i] == '.';
	item->parts = arena_alloc(p->arena, cap * sizeof(*item->parts));
	while (is_digit(imap_parse_peek(p))) {
		if (imap_parse_nz_number(p, "part number", &item->parts[item->n_parts++], err) < 0)
			return -1;
		*dot_r = imap_parse_skip(p, '.');
		if (!*dot_r)
			return 0;
	}
	return 0;
}

static int section_text(struct imap_parse *p, struct imap_fetch_item *item, struct err *err)
{
	struct span word;
	size_t i;

	if (imap_parse_word(p, "section", &word, err) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(texts) && !span_eq_nocase(word, texts[i].name); i++)
		;
	if (i == ARRAY_LEN(texts) || (texts[i].text == IMAP_FETCH_MIME && item->n_parts == 0))
		return err_set(err, ERR_PROTO, "Invalid section %.*s", SPAN_ARG(word));
	item->text = texts[i].text;
	if (item->text == IMAP_FETCH_FIELDS || item->text == IMAP_FETCH_FIELDS_NOT)
		return fields(p, item, err);
	return 0;
}

/* "[...]<...>" (RFC 3501 section 6.4.5, RFC 3516 section 4.2); sizes have no partial. */
static int section(struct imap_parse *p, struct imap_fetch_item *item, struct err *err)
{
	bool has_dot;

	if (!imap_parse_skip(p, '['))
		return err_set(err, ERR_PROTO, "Missing '[' after an item");
	if (part_numbers(p, item, &has_dot, err) < 0)
		return -1;
	if (item->kind == IMAP_FETCH_BODY && (has_dot || (item->n_parts == 0 && imap_parse_peek(p) != ']'))) {
		if (section_text(p, item, err) < 0)
			return -1;
		has_dot = false;
	}
	if (has_dot || !imap_parse_skip(p, ']'))
		return err_set(err, ERR_PROTO, "Invalid section: missing ']'");
	if (item->kind == IMAP_FETCH_BINARY_SIZE || !imap_parse_skip(p, '<'))
		return 0;
	item->is_partial = true;
	if (imap_parse_number64(p, "offset", &item->offset, err) < 0)
		return -1;
	if (!imap_parse_skip(p, '.'))
		return err_set(err, ERR_PROTO, "Missing length of the partial fetch");
	if (imap_parse_number64(p, "length", &item->length, err) < 0)
		return -1;
	if (item->length == 0 || !imap_parse_skip(p, '>'))
		return err_set(err, ERR_PROTO, "Invalid length of the partial fetch");
	return 0;
}

/* ---- the whole ---- */

static int one_item(struct builder *b, struct span word, struct err *err)
{
	struct imap_fetch_item item = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names) && !span_eq_nocase(word, names[i].name); i++)
		;
	if (i == ARRAY_LEN(names))
		return err_set(err, ERR_PROTO, "Unknown FETCH item %.*s", SPAN_ARG(word));
	item.kind = names[i].kind;
	item.text = names[i].text;
	if (item.kind == IMAP_FETCH_BODY && !names[i].is_peek && imap_parse_peek(b->p) != '[')
		item.kind = IMAP_FETCH_STRUCTURE;
	item.is_peek = names[i].is_peek || !(BIT(item.kind) & SETS_SEEN);
	if ((BIT(item.kind) & HAS_SECTION) && section(b->p, &item, err) < 0)
		return -1;
	return add(b, &item, err);
}

/* RFC 3501 section 6.4.5: a macro stands alone. */
static bool macro(struct builder *b, struct span word)
{
	static const enum imap_fetch_kind kinds[] = { IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE, IMAP_FETCH_SIZE,
	                                              IMAP_FETCH_ENVELOPE, IMAP_FETCH_STRUCTURE };
	struct err unused;
	size_t i, n = 0;

	if (span_eq_nocase(word, "FAST"))
		n = 3;
	else if (span_eq_nocase(word, "ALL"))
		n = 4;
	else if (span_eq_nocase(word, "FULL"))
		n = 5;
	for (i = 0; i < n; i++)
		(void)!add_simple(b, kinds[i], &unused);
	return n > 0;
}

static int items(struct builder *b, struct err *err)
{
	struct imap_parse *p = b->p;
	struct span word;
	size_t n;
	int rc;

	if (imap_parse_peek(p) != '(') {
		if (imap_parse_word(p, "FETCH item", &word, err) < 0)
			return -1;
		return macro(b, word) ? 0 : one_item(b, word, err);
	}
	if (imap_parse_list_begin(p, "FETCH items", err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		if (imap_parse_word(p, "FETCH item", &word, err) < 0 || one_item(b, word, err) < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	return n ? 0 : err_set(err, ERR_PROTO, "Missing FETCH item");
}

/* RFC 7162 sections 3.1.4.1 and 3.2.6. */
static int modifiers(struct imap_parse *p, struct imap_fetch *f, struct err *err)
{
	size_t n;
	int rc;

	if (imap_parse_list_begin(p, "FETCH modifiers", err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		if (imap_parse_skip_word(p, "CHANGEDSINCE")) {
			if (imap_parse_sp(p, "mod-sequence", err) < 0 ||
			    imap_parse_number64(p, "mod-sequence", &f->changedsince, err) < 0)
				return -1;
			f->has_changedsince = true;
		} else if (imap_parse_skip_word(p, "VANISHED")) {
			f->wants_vanished = true;
		} else {
			return err_set(err, ERR_PROTO, "Unknown FETCH modifier");
		}
	}
	if (rc < 0)
		return -1;
	return f->wants_vanished && !f->has_changedsince ? err_set(err, ERR_PROTO, "VANISHED needs CHANGEDSINCE") : 0;
}

int imap_fetch_items_parse(struct imap_parse *p, struct imap_fetch *out_r, struct err *err)
{
	struct builder b = { .p = p };

	if (items(&b, err) < 0)
		return -1;
	if (imap_parse_skip(p, ' ') && imap_parse_peek(p) == '(' && modifiers(p, &b.f, err) < 0)
		return -1;
	*out_r = b.f;
	return imap_parse_end(p, err);
}

/* ---- names in responses ---- */

static int put_fields(struct str *out, const struct imap_fetch_item *item)
{
	size_t i;

	for (i = 0; i < item->n_fields; i++) {
		struct span f = item->fields[i];
		bool is_atom = true;
		size_t k;

		for (k = 0; k < f.n; k++)
			is_atom &= !strchr("(){%*\"\\]", f.p[k]);
		if (str_addz(out, i ? " " : " (") < 0 ||
		    (is_atom ? str_add_span(out, f) : imap_quote_string(out, f)) < 0)
			return -1;
	}
	return item->n_fields ? str_addc(out, ')') : 0;
}

int imap_fetch_items_name(struct str *out, const struct imap_fetch_item *item)
{
	size_t i;

	if (item->kind == IMAP_FETCH_STRUCTURE)
		return str_addz(out, "BODY");
	for (i = 0; names[i].kind != item->kind; i++)
		;
	if (!(BIT(item->kind) & HAS_SECTION))
		return str_addz(out, names[i].name);
	if (str_addf(out, "%s[", names[i].name) < 0)
		return -1;
	for (i = 0; i < item->n_parts; i++) {
		if (str_addf(out, i ? ".%u" : "%u", item->parts[i]) < 0)
			return -1;
	}
	for (i = 0; item->text != IMAP_FETCH_ALL && texts[i].text != item->text; i++)
		;
	if (item->text != IMAP_FETCH_ALL &&
	    (str_addf(out, "%s%s", item->n_parts ? "." : "", texts[i].name) < 0 || put_fields(out, item) < 0))
		return -1;
	if (str_addc(out, ']') < 0)
		return -1;
	return item->is_partial ? str_addf(out, "<%" PRIu64 ">", item->offset) : 0;
}
