#include "proto/rfc822.h"

/* START -> LIST <-> COMMA: a list. LIST -> GROUP (a group's name was given) -> MEMBER .. -> CLOSE -> LIST. */
enum { ST_START, ST_LIST, ST_GROUP, ST_MEMBER, ST_CLOSE, ST_DONE };

#define LIST_STRING_MAX (16u << 20)     /* a field is smaller */

void rfc822_list_init(struct rfc822_list *l, struct span in)
{
	struct rfc822_address *a = &l->a;
	struct str *all[] = { &a->name, &a->route, &a->local, &a->domain, &a->comment };
	size_t i;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < ARRAY_LEN(all); i++)
		str_init(all[i], LIST_STRING_MAX);
	rfc822_list_again(l, in);
}

void rfc822_list_again(struct rfc822_list *l, struct span in)
{
	if (!in.n)
		in = SPAN_LIT("");
	str_reset(&l->a.comment);
	l->r = (struct rfc822){ in.p, in.p + in.n, &l->a.comment };
	l->state = ST_START;
}

void rfc822_list_fini(struct rfc822_list *l)
{
	str_fini(&l->a.name);
	str_fini(&l->a.route);
	str_fini(&l->a.local);
	str_fini(&l->a.domain);
	str_fini(&l->a.comment);
}

static void clear(struct rfc822_address *a, enum rfc822_kind kind)
{
	a->kind = kind;
	a->has_name = a->has_route = a->has_local = a->has_domain = a->is_broken = false;
	str_reset(&a->name);
	str_reset(&a->route);
	str_reset(&a->local);
	str_reset(&a->domain);
}

static bool at(const struct rfc822 *r, char c)
{
	return r->p < r->end && *r->p == c;
}

/* local-part; obsolete forms with quoted words between dots are not understood */
static enum rfc822_rc parse_local(struct rfc822_list *l)
{
	enum rfc822_rc rc = at(&l->r, '"') ? rfc822_quoted(&l->r, &l->a.local) : rfc822_dot_atom(&l->r, &l->a.local);

	l->a.has_local = rc != RFC822_BAD;
	return rc;
}

/* "@" domain, or "@" "[...]", appended to out */
static enum rfc822_rc parse_domain(struct rfc822 *r, struct str *out)
{
	const char *close;

	r->p++;
	if (rfc822_skip(r) != RFC822_MORE)
		return RFC822_BAD;
	if (*r->p != '[') {
		enum rfc822_rc rc = rfc822_dot_atom(r, out);

		return rc == RFC822_END && out->n && out->p[out->n - 1] == '.' ? RFC822_BAD : rc;
	}
	close = memchr(r->p, ']', (size_t)(r->end - r->p));
	if (!close) {
		r->p = r->end;
		return RFC822_BAD;
	}
	for (; r->p <= close; r->p++) {
		if (*r->p != '\r' && *r->p != '\n')
			(void)!str_addc(out, *r->p);
	}
	return rfc822_skip(r);
}

/* "@a,@b:" of an obsolete route */
static enum rfc822_rc parse_route(struct rfc822_list *l)
{
	struct str *route = &l->a.route;
	enum rfc822_rc rc = RFC822_MORE;

	while (at(&l->r, '@')) {
		if (route->n)
			(void)!str_addc(route, ',');
		(void)!str_addc(route, '@');
		rc = parse_domain(&l->r, route);
		if (rc != RFC822_MORE)
			break;
		while (at(&l->r, ',')) {
			l->r.p++;
			rc = rfc822_skip(&l->r);
		}
	}
	l->a.has_route = true;
	if (rc == RFC822_MORE && at(&l->r, ':'))
		l->r.p++;
	else {
		str_reset(route);
		(void)!str_addz(route, "INVALID_ROUTE");
	}
	return rfc822_skip(&l->r);
}

static enum rfc822_rc parse_angle(struct rfc822_list *l)
{
	struct rfc822 *r = &l->r;
	enum rfc822_rc rc;

	r->p++;
	rc = rfc822_skip(r);
	if (rc == RFC822_MORE && *r->p == '@')
		rc = parse_route(l);
	if (rc != RFC822_MORE)
		return RFC822_BAD;
	if (*r->p != '>') {
		if (parse_local(l) != RFC822_MORE)
			return RFC822_BAD;
		if (*r->p == '@') {
			rc = parse_domain(r, &l->a.domain);
			l->a.has_domain = rc != RFC822_BAD;
			if (rc != RFC822_MORE)
				return RFC822_BAD;
		}
		if (*r->p != '>')
			return RFC822_BAD;
	}
	r->p++;
	return rfc822_skip(r);
}

/* An address without angle brackets. A lone word is taken for a local part, several words or a quoted string for a
 * name whose address is lost; a comment behind an address is a name as well. */
static enum rfc822_rc parse_bare(struct rfc822_list *l)
{
	struct rfc822_address *a = &l->a;
	bool is_quoted = at(&l->r, '"'), has_at = false;
	enum rfc822_rc rc, rc_domain;

	str_reset(&a->comment);
	rc = parse_local(l);
	if (rc != RFC822_END && at(&l->r, '@')) {
		has_at = true;
		rc_domain = parse_domain(&l->r, &a->domain);
		a->has_domain = rc_domain != RFC822_BAD;
		if (rc_domain != RFC822_MORE)
			rc = rc_domain;
	}
	if (a->comment.n) {
		(void)!str_add_span(&a->name, str_span(&a->comment));
		a->has_name = true;
	} else if (!has_at) {
		size_t n;

		a->is_broken = true;
		if (a->has_local)
			(void)!str_add_span(&a->name, str_span(&a->local));
		(void)!str_addc(&a->name, ' ');
		n = a->name.n;
		if (rc != RFC822_BAD || l->r.p < l->r.end)
			(void)!rfc822_phrase(&l->r, &a->name);
		if (a->name.n == n)
			str_cut(&a->name, n - 1);
		a->has_name = a->name.n >= n || (is_quoted && a->has_local);
		if (a->has_name)
			a->has_local = false;
		return RFC822_BAD;
	}
	return rc;
}

/* mailbox = name-addr / addr-spec, always an entry */
static enum rfc822_rc parse_mailbox(struct rfc822_list *l)
{
	struct rfc822_address *a = &l->a;
	const char *start = l->r.p;
	enum rfc822_rc rc;

	clear(a, RFC822_MAILBOX);
	if (rfc822_phrase(&l->r, &a->name) == RFC822_MORE && *l->r.p == '<') {
		a->has_name = a->name.n > 0;
		if (parse_angle(l) == RFC822_BAD) {
			a->is_broken = true;
			a->has_domain = true;
			str_reset(&a->domain);
			(void)!str_addz(&a->domain, "SYNTAX_ERROR");
		}
		return l->r.p == l->r.end ? RFC822_END : RFC822_MORE;
	}
	l->r.p = start;
	str_reset(&a->name);
	rc = parse_bare(l);
	if (!a->has_name)
		str_reset(&a->name);
	return rc;
}

/* True when a group begins here; its name is the entry. */
static bool parse_group(struct rfc822_list *l)
{
	const char *start = l->r.p;

	clear(&l->a, RFC822_GROUP);
	if (rfc822_phrase(&l->r, &l->a.local) != RFC822_MORE || *l->r.p != ':') {
		l->r.p = start;
		return false;
	}
	l->r.p++;
	l->a.has_local = true;
	l->state = rfc822_skip(&l->r) == RFC822_MORE && *l->r.p != ';' ? ST_MEMBER : ST_CLOSE;
	return true;
}

/* Between two addresses: only a comma goes on. */
static void separate(struct rfc822_list *l)
{
	l->state = ST_DONE;
	if (!at(&l->r, ','))
		return;
	l->r.p++;
	if (rfc822_skip(&l->r) == RFC822_MORE)
		l->state = ST_LIST;
}

bool rfc822_list_next(struct rfc822_list *l)
{
	switch (l->state) {
	case ST_START:
		if (rfc822_skip(&l->r) != RFC822_MORE)
			return false;
		/* fall through */
	case ST_LIST:
		if (parse_group(l))
			return true;
		if (parse_mailbox(l) == RFC822_END)
			l->state = ST_DONE;
		else
			separate(l);
		return true;
	case ST_MEMBER:
		l->state = ST_CLOSE;
		if (parse_mailbox(l) == RFC822_MORE && at(&l->r, ',')) {
			l->r.p++;
			if (rfc822_skip(&l->r) == RFC822_MORE)
				l->state = ST_MEMBER;
		}
		return true;
	case ST_CLOSE:
		clear(&l->a, RFC822_GROUP_END);
		if (at(&l->r, ';')) {
			l->r.p++;
			(void)!rfc822_skip(&l->r);
		}
		separate(l);
		return true;
	default:
		return false;
	}
}
