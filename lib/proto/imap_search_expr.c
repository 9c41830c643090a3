#include "proto/imap_search_expr.h"

#include "base/utf8.h"
#include "proto/charset.h"

#define CRITERIA_MAX 32

struct parser {
	struct imap_parse *p;
	struct imap_search *s;
	struct charset charset;
	size_t nodes_left;
	struct err *err;
};

static int key(struct parser *x, struct imap_search_node **node_r);

static struct imap_search_node *node_new(struct parser *x, enum imap_search_op op)
{
	struct imap_search_node *n;

	if (x->nodes_left == 0) {
		err_set(x->err, ERR_PROTO, "Too many search keys");
		return NULL;
	}
	x->nodes_left--;
	n = arena_new(x->p->arena, struct imap_search_node);
	n->op = op;
	return n;
}

/* ---- values ---- */

/* An astring in UTF-8. */
static int text(struct parser *x, struct span *v_r)
{
	static const char what[] = "text to search for";
	struct span raw;
	struct str out;
	int rc;

	if (imap_parse_astring(x->p, what, &raw, x->err) < 0)
		return -1;
	*v_r = raw;
	if (x->charset.kind == CHARSET_UTF8 && utf8_valid(raw))
		return 0;
	str_init(&out, 8 * raw.n + 64);
	rc = charset_convert(&x->charset, raw, true, &out);
	*v_r = arena_span(x->p->arena, str_span(&out));
	str_fini(&out);
	return rc < 0 ? err_set(x->err, ERR_PROTO, "Too long a %s", what) : 0;
}

/* RFC 7162 section 3.1.5: [entry-name SP type SP] number */
static int modseq(struct parser *x, uint64_t *n_r)
{
	struct span entry;

	x->s->needs_modseq = true;
	if (imap_parse_peek(x->p) == '"') {
		if (imap_parse_string(x->p, "entry name", &entry, x->err) < 0 ||
		    imap_parse_sp(x->p, "entry type", x->err) < 0)
			return -1;
		if (!imap_parse_skip_word(x->p, "all") && !imap_parse_skip_word(x->p, "priv") &&
		    !imap_parse_skip_word(x->p, "shared"))
			return err_set(x->err, ERR_PROTO, "Invalid entry type of MODSEQ");
		if (imap_parse_sp(x->p, "mod-sequence", x->err) < 0)
			return -1;
	}
	return imap_parse_number64(x->p, "mod-sequence", n_r, x->err);
}

static int interval(struct parser *x, uint64_t *n_r)
{
	uint32_t n;

	if (imap_parse_nz_number(x->p, "interval", &n, x->err) < 0)
		return -1;
	*n_r = n;
	return 0;
}

/* ---- keys ---- */

static const struct key_name {
	const char *name;
	enum imap_search_op op;
	unsigned flag;
	bool is_not;
	const char *field;              /* a HEADER key with this name */
} keys[] = {
	{ "ALL", IMAP_SEARCH_ALL },
	{ "ANSWERED", IMAP_SEARCH_FLAG, IMAP_FLAG_ANSWERED }, { "UNANSWERED", IMAP_SEARCH_FLAG, IMAP_FLAG_ANSWERED,
								true },
	{ "DELETED", IMAP_SEARCH_FLAG, IMAP_FLAG_DELETED }, { "UNDELETED", IMAP_SEARCH_FLAG, IMAP_FLAG_DELETED, true },
	{ "DRAFT", IMAP_SEARCH_FLAG, IMAP_FLAG_DRAFT }, { "UNDRAFT", IMAP_SEARCH_FLAG, IMAP_FLAG_DRAFT, true },
	{ "FLAGGED", IMAP_SEARCH_FLAG, IMAP_FLAG_FLAGGED }, { "UNFLAGGED", IMAP_SEARCH_FLAG, IMAP_FLAG_FLAGGED, true },
	{ "SEEN", IMAP_SEARCH_FLAG, IMAP_FLAG_SEEN }, { "UNSEEN", IMAP_SEARCH_FLAG, IMAP_FLAG_SEEN, true },
	{ "RECENT", IMAP_SEARCH_FLAG, IMAP_FLAG_RECENT }, { "OLD", IMAP_SEARCH_FLAG, IMAP_FLAG_RECENT, true },
	{ "NEW", IMAP_SEARCH_AND },
	{ "KEYWORD", IMAP_SEARCH_KEYWORD }, { "UNKEYWORD", IMAP_SEARCH_KEYWORD, 0, true },
	{ "BCC", IMAP_SEARCH_HEADER, .field = "Bcc" }, { "CC", IMAP_SEARCH_HEADER, .field = "Cc" },
	{ "FROM", IMAP_SEARCH_HEADER, .field = "From" }, { "SUBJECT", IMAP_SEARCH_HEADER, .field = "Subject" },
	{ "TO", IMAP_SEARCH_HEADER, .field = "To" }, { "HEADER", IMAP_SEARCH_HEADER },
	{ "BODY", IMAP_SEARCH_BODY }, { "TEXT", IMAP_SEARCH_TEXT },
	{ "BEFORE", IMAP_SEARCH_BEFORE }, { "ON", IMAP_SEARCH_ON }, { "SINCE", IMAP_SEARCH_SINCE },
	{ "SENTBEFORE", IMAP_SEARCH_SENTBEFORE }, { "SENTON", IMAP_SEARCH_SENTON },
	{ "SENTSINCE", IMAP_SEARCH_SENTSINCE },
	{ "LARGER", IMAP_SEARCH_LARGER }, { "SMALLER", IMAP_SEARCH_SMALLER },
	{ "YOUNGER", IMAP_SEARCH_YOUNGER }, { "OLDER", IMAP_SEARCH_OLDER },
	{ "UID", IMAP_SEARCH_UID }, { "MODSEQ", IMAP_SEARCH_MODSEQ }, { "OR", IMAP_SEARCH_OR },
};

/* RECENT and not SEEN */
static int key_new(struct parser *x, struct imap_search_node *n)
{
	struct imap_search_node *recent = node_new(x, IMAP_SEARCH_FLAG), *seen = node_new(x, IMAP_SEARCH_FLAG);

	if (!recent || !seen)
		return -1;
	recent->flag = IMAP_FLAG_RECENT;
	recent->next = seen;
	seen->flag = IMAP_FLAG_SEEN;
	seen->is_not = true;
	n->child = recent;
	return 0;
}

/* The cursor is behind "OR". A long "OR a OR b OR c d" is one node with four children and no recursion: clients write
 * hundreds. */
static int key_or(struct parser *x, struct imap_search_node *n)
{
	struct imap_search_node **last = &n->child;
	bool is_more = true;

	if (x->p->depth == x->p->depth_max)
		return err_set(x->err, ERR_PROTO, "Too many search keys inside each other");
	x->p->depth++;
	while (is_more) {
		if (imap_parse_sp(x->p, "first key of OR", x->err) < 0 || key(x, last) < 0 ||
		    imap_parse_sp(x->p, "second key of OR", x->err) < 0)
			return -1;
		last = &(*last)->next;
		is_more = imap_parse_skip_word(x->p, "OR");
	}
	x->p->depth--;
	return key(x, last);
}

static int key_header(struct parser *x, struct imap_search_node *n, const char *field)
{
	n->name = span_z(field);
	if (!field && (imap_parse_astring(x->p, "header field name", &n->name, x->err) < 0 ||
	               imap_parse_sp(x->p, "text to search for", x->err) < 0))
		return -1;
	return text(x, &n->text);
}

/* Whatever follows the key's name. */
static int key_value(struct parser *x, struct imap_search_node *n, const char *field)
{
	switch (n->op) {
	case IMAP_SEARCH_HEADER:
		return key_header(x, n, field);
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT:
		return text(x, &n->text);
	case IMAP_SEARCH_KEYWORD:
		return imap_parse_atom(x->p, "keyword", &n->text, x->err);
	case IMAP_SEARCH_LARGER:
	case IMAP_SEARCH_SMALLER:
		return imap_parse_number64(x->p, "size", &n->number, x->err);
	case IMAP_SEARCH_YOUNGER:
	case IMAP_SEARCH_OLDER:
		return interval(x, &n->number);
	case IMAP_SEARCH_UID:
		return imap_seqset_parse(x->p, &n->set, x->err);
	case IMAP_SEARCH_MODSEQ:
		return modseq(x, &n->number);
	default:
		return imap_parse_date(x->p, &n->day, x->err);
	}
}

static int key_named(struct parser *x, struct imap_search_node **node_r)
{
	const struct key_name *k;
	struct imap_search_node *n;
	struct span word;

	if (imap_parse_word(x->p, "search key", &word, x->err) < 0)
		return -1;
	for (k = keys; k < keys + ARRAY_LEN(keys) && !span_eq_nocase(word, k->name); k++)
		;
	if (k == keys + ARRAY_LEN(keys))
		return err_set(x->err, ERR_PROTO, "Unknown search key %.*s", SPAN_ARG(word));
	n = node_new(x, k->op);
	if (!n)
		return -1;
	*node_r = n;
	n->flag = k->flag;
	n->is_not = k->is_not;
	if (n->op == IMAP_SEARCH_OR)
		return key_or(x, n);
	if (n->op == IMAP_SEARCH_AND)
		return key_new(x, n);
	if (n->op == IMAP_SEARCH_ALL || n->op == IMAP_SEARCH_FLAG)
		return 0;
	return imap_parse_sp(x->p, "value of a search key", x->err) < 0 ? -1 : key_value(x, n, k->field);
}

static int key_list(struct parser *x, struct imap_search_node **node_r)
{
	struct imap_search_node *and = node_new(x, IMAP_SEARCH_AND), **last;
	size_t n;
	int rc;

	if (!and)
		return -1;
	*node_r = and;
	last = &and->child;
	if (imap_parse_list_begin(x->p, "search keys", x->err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(x->p, n, x->err)) > 0; n++) {
		if (key(x, last) < 0)
			return -1;
		last = &(*last)->next;
	}
	if (rc < 0)
		return -1;
	return n ? 0 : err_set(x->err, ERR_PROTO, "Missing search key");
}

static bool starts_set(int c)
{
	return (c >= '0' && c <= '9') || c == '*' || c == '$';
}

/* Recurses only by parentheses and first keys of OR, which depth_max bounds. */
static int key(struct parser *x, struct imap_search_node **node_r)
{
	bool is_not = false;
	int rc;

	while (imap_parse_skip_word(x->p, "NOT")) {
		is_not = !is_not;
		if (imap_parse_sp(x->p, "search key", x->err) < 0)
			return -1;
	}
	if (imap_parse_peek(x->p) == '(') {
		rc = key_list(x, node_r);
	} else if (starts_set(imap_parse_peek(x->p))) {
		*node_r = node_new(x, IMAP_SEARCH_SEQ);
		rc = *node_r ? imap_seqset_parse(x->p, &(*node_r)->set, x->err) : -1;
	} else {
		rc = key_named(x, node_r);
	}
	if (rc == 0)
		(*node_r)->is_not ^= is_not;
	return rc;
}

static int key_program(struct parser *x)
{
	struct imap_search_node **last;

	x->s->root = node_new(x, IMAP_SEARCH_AND);
	if (!x->s->root)
		return -1;
	last = &x->s->root->child;
	do {
		if (key(x, last) < 0)
			return -1;
		last = &(*last)->next;
	} while (imap_parse_peek(x->p) == ' ' && span_trim(span_from(x->p->in, x->p->at)).n &&
	         imap_parse_sp(x->p, "search key", x->err) == 0);
	return imap_parse_end(x->p, x->err);
}

/* ---- what comes before the keys ---- */

static int return_options(struct parser *x)
{
	static const struct {
		const char *name;
		unsigned bit;
	} options[] = {
		{ "MIN", IMAP_SEARCH_MIN }, { "MAX", IMAP_SEARCH_MAX }, { "ALL", IMAP_SEARCH_RETURN_ALL },
		{ "COUNT", IMAP_SEARCH_COUNT }, { "SAVE", IMAP_SEARCH_SAVE },
	};
	size_t n, i;
	int rc;

	x->s->has_return = true;
	if (imap_parse_sp(x->p, "return options", x->err) < 0 ||
	    imap_parse_list_begin(x->p, "return options", x->err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(x->p, n, x->err)) > 0; n++) {
		for (i = 0; i < ARRAY_LEN(options) && !imap_parse_skip_word(x->p, options[i].name); i++)
			;
		if (i == ARRAY_LEN(options))
			return err_set(x->err, ERR_PROTO, "Unknown return option");
		x->s->returns |= options[i].bit;
	}
	if (rc < 0)
		return -1;
	if (n == 0)
		x->s->returns = IMAP_SEARCH_RETURN_ALL;
	return imap_parse_sp(x->p, "search key", x->err);
}

static int open_charset(struct parser *x)
{
	struct span name;

	if (imap_parse_astring(x->p, "charset", &name, x->err) < 0)
		return -1;
	if (charset_open(&x->charset, name) < 0) {
		x->s->is_bad_charset = true;
		return err_set(x->err, ERR_PROTO, "Unknown charset");
	}
	return imap_parse_sp(x->p, "search key", x->err);
}

/* RFC 5256 section 3, RFC 5957. */
static int criteria(struct parser *x)
{
	static const char *const names[] = {
		[IMAP_SEARCH_ARRIVAL] = "ARRIVAL", [IMAP_SEARCH_SORT_CC] = "CC", [IMAP_SEARCH_DATE] = "DATE",
		[IMAP_SEARCH_SORT_FROM] = "FROM", [IMAP_SEARCH_SIZE] = "SIZE", [IMAP_SEARCH_SUBJECT] = "SUBJECT",
		[IMAP_SEARCH_SORT_TO] = "TO", [IMAP_SEARCH_DISPLAYFROM] = "DISPLAYFROM",
		[IMAP_SEARCH_DISPLAYTO] = "DISPLAYTO",
	};
	struct imap_search *s = x->s;
	size_t i;
	int rc;

	s->sort = arena_alloc(x->p->arena, CRITERIA_MAX * sizeof(*s->sort));
	if (imap_parse_list_begin(x->p, "sort criteria", x->err) < 0)
		return -1;
	for (; (rc = imap_parse_list_more(x->p, s->n_sort, x->err)) > 0; s->n_sort++) {
		if (s->n_sort == CRITERIA_MAX)
			return err_set(x->err, ERR_PROTO, "Too many sort criteria");
		s->sort[s->n_sort].is_reverse = imap_parse_skip_word(x->p, "REVERSE");
		if (s->sort[s->n_sort].is_reverse && imap_parse_sp(x->p, "sort criterion", x->err) < 0)
			return -1;
		for (i = 0; i < ARRAY_LEN(names) && !imap_parse_skip_word(x->p, names[i]); i++)
			;
		if (i == ARRAY_LEN(names))
			return err_set(x->err, ERR_PROTO, "Unknown sort criterion");
		s->sort[s->n_sort].by = (enum imap_search_sort)i;
	}
	if (rc < 0)
		return -1;
	return s->n_sort ? imap_parse_sp(x->p, "charset", x->err) :
	       err_set(x->err, ERR_PROTO, "Missing sort criterion");
}

static int algorithm(struct parser *x)
{
	if (imap_parse_skip_word(x->p, "REFERENCES"))
		x->s->thread = IMAP_SEARCH_REFERENCES;
	else if (imap_parse_skip_word(x->p, "ORDEREDSUBJECT"))
		x->s->thread = IMAP_SEARCH_ORDEREDSUBJECT;
	else
		return err_set(x->err, ERR_PROTO, "Unknown thread algorithm");
	return imap_parse_sp(x->p, "charset", x->err);
}

static int whole(struct parser *x, enum imap_search_command command)
{
	if (command != IMAP_SEARCH_THREAD && imap_parse_skip_word(x->p, "RETURN") && return_options(x) < 0)
		return -1;
	if (command == IMAP_SEARCH_SORT && criteria(x) < 0)
		return -1;
	if (command == IMAP_SEARCH_THREAD && algorithm(x) < 0)
		return -1;
	if (command != IMAP_SEARCH_SEARCH)
		return open_charset(x) < 0 ? -1 : key_program(x);
	if (imap_parse_skip_word(x->p, "CHARSET") &&
	    (imap_parse_sp(x->p, "charset", x->err) < 0 || open_charset(x) < 0))
		return -1;
	return key_program(x);
}

int imap_search_parse(struct imap_parse *p, enum imap_search_command command, const struct imap_search_limits *limits,
                      struct imap_search *out_r, struct err *err)
{
	struct imap_search_limits lim = limits ? *limits : IMAP_SEARCH_LIMITS_DEFAULT;
	struct parser x = { .p = p, .s = out_r, .nodes_left = lim.nodes_max, .err = err };
	int rc;

	*out_r = (struct imap_search){ 0 };
	p->depth_max = lim.depth_max;
	rc = charset_open(&x.charset, SPAN_LIT("UTF-8"));
	BUG(rc < 0);
	rc = whole(&x, command);
	charset_close(&x.charset);
	return rc;
}
