#include "proto/aliases.h"

#include "base/str.h"

#define TEXT_MAX 4096
#define INCLUDE ":include:"

/* One destination while it is read. plain: quotes and escapes resolved; wire: quotes kept where an address needs
 * them. */
struct item {
	struct str plain;
	struct str wire;
	bool in_angle, had_angle;
	bool gap;               /* white space behind some text */
	bool quoted;            /* some of it stood in quotes */
	bool whole;             /* a command or path that stood in quotes: nothing more belongs to it */
};

/* Words in front of the one being read: destinations too, unless "<" turns them into a name. */
struct word {
	struct word *next;
	struct span plain, wire;
};

struct list {
	struct item it;
	struct word *words, **last;
	struct arena *a;
	aliases_fn *fn;
	void *arg;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return strchr("()<>@,;:\\\"[] \t", c) != NULL;
}

static void item_reset(struct item *it)
{
	str_reset(&it->plain);
	str_reset(&it->wire);
	it->in_angle = it->had_angle = it->gap = it->quoted = it->whole = false;
}

static int too_long(struct err *err)
{
	return err_set(err, ERR_CONF, "a destination is longer than %d bytes", TEXT_MAX);
}

static int add(struct item *it, char c, struct err *err)
{
	return str_addc(&it->plain, c) < 0 || str_addc(&it->wire, c) < 0 ? too_long(err) : 0;
}

/* A command keeps its blanks, and so does what stands before the path of an include. */
static bool keeps_blanks(const struct item *it)
{
	struct span s = str_span(&it->plain);

	return s.n > 0 && !it->whole && (s.p[0] == '|' || (s.p[0] == ':' && s.n < sizeof(INCLUDE)));
}

/* Signs of addresses mean nothing in commands and paths. */
static bool is_verbatim(const struct item *it)
{
	return it->plain.n > 0 && strchr("|/:", it->plain.p[0]);
}

/* Position behind the comment that begins at i, or n when it does not end. */
static size_t skip_comment(struct span s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

/* A quoted string; *i stands on the opening quote and is left behind the closing one. */
static int read_quoted(struct item *it, struct span s, size_t *i, struct err *err)
{
	size_t from = it->plain.n;
	bool needs = false, is_first = from == 0 || (from == 1 && it->plain.p[0] == '|');

	for (++*i; *i < s.n && s.p[*i] != '"'; ++*i) {
		if (s.p[*i] == '\\' && *i + 1 < s.n)
			++*i;
		needs = needs || is_special(s.p[*i]);
		if (str_addc(&it->plain, s.p[*i]) < 0)
			return too_long(err);
	}
	if (*i >= s.n)
		return err_set(err, ERR_CONF, "a quote is not closed in \"%.*s\"", SPAN_ARG(s));
	++*i;
	it->quoted = true;
	it->whole = is_first && is_verbatim(it);
	if (!needs && it->plain.n > from)
		return str_add(&it->wire, it->plain.p + from, it->plain.n - from) < 0 ? too_long(err) : 0;
	if (str_addc(&it->wire, '"') < 0)
		return too_long(err);
	for (; from < it->plain.n; from++) {
		char c = it->plain.p[from];

		if (((c == '"' || c == '\\') && str_addc(&it->wire, '\\') < 0) || str_addc(&it->wire, c) < 0)
			return too_long(err);
	}
	return str_addc(&it->wire, '"') < 0 ? too_long(err) : 0;
}

static int emit_address(struct list *l, struct span s, struct err *err)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return err_set(err, ERR_CONF, "a control character stands in an address");
	return l->fn(l->arg, ALIASES_ADDRESS, arena_span(l->a, s), err);
}

static int emit_word(struct list *l, struct span s, struct span wire, struct err *err)
{
	enum aliases_kind kind;

	s = span_trim(s);
	if (s.p[0] == '|') {
		kind = ALIASES_COMMAND;
		s = span_trim(span_from(s, 1));
	} else if (s.p[0] == '/' || span_starts(s, "~/")) {
		kind = ALIASES_FILE;
	} else if (span_starts_nocase(s, INCLUDE)) {
		kind = ALIASES_INCLUDE;
		s = span_trim(span_from(s, sizeof(INCLUDE) - 1));
	} else {
		return emit_address(l, wire, err);
	}
	if (s.n == 0 || (kind == ALIASES_INCLUDE && s.p[0] != '/'))
		return err_set(err, ERR_CONF, "%s lacks a path", kind == ALIASES_COMMAND ? "\"|\"" : INCLUDE);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' || s.p[i] == '\r')
			return err_set(err, ERR_CONF, "a line end stands in a command or path");
	return l->fn(l->arg, kind, arena_span(l->a, s), err);
}

static void forget_words(struct list *l)
{
	l->words = NULL;
	l->last = &l->words;
}

/* Gives out what was read up to a separator. */
static int emit(struct list *l, struct err *err)
{
	struct item *it = &l->it;
	struct span s = span_trim(str_span(&it->plain));
	int rc = 0;

	if (it->in_angle)
		return err_set(err, ERR_CONF, "\">\" is missing behind \"%.*s\"", SPAN_ARG(s));
	if (s.n == 0 && (it->had_angle || it->quoted))
		return err_set(err, ERR_CONF, "an address is empty");
	for (const struct word *w = l->words; w && rc == 0; w = w->next)
		rc = emit_word(l, w->plain, w->wire, err);
	if (s.n && rc == 0)
		rc = emit_word(l, s, str_span(&it->wire), err);
	forget_words(l);
	item_reset(it);
	return rc;
}

/* More text behind a gap or ">": what stood before was a word of its own. */
static int begin_word(struct list *l, struct err *err)
{
	struct item *it = &l->it;
	struct word *w;

	if (it->had_angle)
		return emit(l, err);
	if (!it->gap && !(it->whole && it->plain.n))
		return 0;
	if (span_trim(str_span(&it->plain)).n == 0)
		return err_set(err, ERR_CONF, "an address is empty");
	w = arena_new(l->a, struct word);
	*w = (struct word){ NULL, arena_span(l->a, str_span(&it->plain)), arena_span(l->a, str_span(&it->wire)) };
	*l->last = w;
	l->last = &w->next;
	item_reset(it);
	return 0;
}

static int open_angle(struct list *l, struct span s, struct err *err)
{
	if (l->it.in_angle)
		return err_set(err, ERR_CONF, "a second \"<\" stands in \"%.*s\"", SPAN_ARG(s));
	if (l->it.had_angle && emit(l, err) < 0)
		return -1;
	forget_words(l);
	item_reset(&l->it);
	l->it.in_angle = true;
	return 0;
}

static int read_blank(struct item *it, char c, struct err *err)
{
	if ((it->plain.n == 0 && !it->quoted) || it->in_angle || it->had_angle)
		return 0;
	if (keeps_blanks(it))
		return add(it, c == '\t' ? '\t' : ' ', err);
	it->gap = true;
	return 0;
}

/* One byte outside quotes and comments; *i moves on. */
static int read_plain(struct list *l, struct span s, size_t *i, struct err *err)
{
	struct item *it = &l->it;
	char c = s.p[(*i)++];

	if (is_blank(c))
		return read_blank(it, c, err);
	if (c == '<' && (it->gap || !is_verbatim(it)))
		return open_angle(l, s, err);
	if (c == '>' && (it->gap || !is_verbatim(it))) {
		if (!it->in_angle)
			return err_set(err, ERR_CONF, "\">\" stands without \"<\" in \"%.*s\"", SPAN_ARG(s));
		it->in_angle = false;
		it->had_angle = true;
		return 0;
	}
	if (begin_word(l, err) < 0)
		return -1;
	if (c == ':' && it->plain.n && !it->in_angle && !is_verbatim(it) && *i < s.n && is_blank(s.p[*i])) {
		forget_words(l);                /* "friends: a, b;" */
		item_reset(it);
		return 0;
	}
	if (c == '\\') {
		if (*i >= s.n)
			return is_verbatim(it) ? add(it, c, err) :
			       err_set(err, ERR_CONF, "a backslash stands at the end of \"%.*s\"", SPAN_ARG(s));
		c = s.p[(*i)++];
	}
	return add(it, c, err);
}

static bool is_separator(const struct item *it, char c)
{
	return (c == ',' || (c == ';' && !keeps_blanks(it))) && !it->in_angle;
}

int aliases_parse(struct span list, struct arena *a, aliases_fn *fn, void *arg, struct err *err)
{
	struct list l = { .it = { .plain = STR_INIT(TEXT_MAX), .wire = STR_INIT(TEXT_MAX) }, .a = a, .fn = fn, .arg = arg };
	int rc = span_has_nul(list) ? err_set(err, ERR_CONF, "a NUL byte stands in the list") : 0;
	size_t i = 0;

	forget_words(&l);
	while (rc == 0 && i < list.n) {
		if (list.p[i] == '"') {
			rc = begin_word(&l, err);
			if (rc == 0)
				rc = read_quoted(&l.it, list, &i, err);
		} else if (list.p[i] == '(' && (l.it.gap || !is_verbatim(&l.it))) {
			i = skip_comment(list, i);
			l.it.gap = l.it.plain.n > 0 && !l.it.in_angle && !l.it.had_angle;
		} else if (is_separator(&l.it, list.p[i])) {
			rc = emit(&l, err);
			i++;
		} else {
			rc = read_plain(&l, list, &i, err);
		}
	}
	if (rc == 0)
		rc = emit(&l, err);
	str_fini(&l.it.plain);
	str_fini(&l.it.wire);
	return rc;
}

static bool is_continuation(struct span text)
{
	return text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t');
}

int aliases_parse_file(struct span text, struct arena *a, aliases_fn *fn, void *arg, struct err *err)
{
	unsigned line_no = 0;
	struct span line;

	while (text.n > 0) {
		const char *start = text.p;
		unsigned first = ++line_no;

		span_cut(text, '\n', &line, &text);
		if (line.n > 0 && line.p[0] == '#')
			continue;
		while (is_continuation(text)) {
			span_cut(text, '\n', &line, &text);
			line_no++;
		}
		line = (struct span){ start, (size_t)(line.p + line.n - start) };
		if (aliases_parse(line, a, fn, arg, err) < 0) {
			err_wrap(err, "line %u", first);
			return -1;
		}
	}
	return 0;
}
