#include "proto/imap_list_args.h"

#define PATTERNS_MAX 100        /* each is held against every mailbox */

struct word {
	const char *name;
	unsigned bit;
};

static const struct word select_options[] = {
	{ "SUBSCRIBED", IMAP_LIST_SUBSCRIBED }, { "REMOTE", IMAP_LIST_REMOTE },
	{ "RECURSIVEMATCH", IMAP_LIST_RECURSIVEMATCH }, { "SPECIAL-USE", IMAP_LIST_SPECIAL_USE }, { NULL, 0 },
};

static const struct word return_options[] = {
	{ "SUBSCRIBED", IMAP_LIST_SUBSCRIBED }, { "CHILDREN", IMAP_LIST_CHILDREN },
	{ "SPECIAL-USE", IMAP_LIST_SPECIAL_USE }, { "STATUS", IMAP_LIST_STATUS }, { NULL, 0 },
};

static const struct word status_items[] = {
	{ "MESSAGES", IMAP_STATUS_MESSAGES }, { "RECENT", IMAP_STATUS_RECENT }, { "UIDNEXT", IMAP_STATUS_UIDNEXT },
	{ "UIDVALIDITY", IMAP_STATUS_UIDVALIDITY }, { "UNSEEN", IMAP_STATUS_UNSEEN },
	{ "HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ }, { "SIZE", IMAP_STATUS_SIZE },
	{ "DELETED", IMAP_STATUS_DELETED },
	{ NULL, 0 },
};

/* "(WORD WORD)" as bits; what STATUS carries goes to *status_r. */
static int words(struct imap_parse *p, const struct word *table, const char *what, unsigned *bits_r, unsigned *status_r,
                 struct err *err)
{
	const struct word *w;
	size_t n;
	int rc;

	*bits_r = 0;
	if (imap_parse_list_begin(p, what, err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		for (w = table; w->name && !imap_parse_skip_word(p, w->name); w++)
			;
		if (!w->name)
			return err_set(err, ERR_PROTO, "Unknown word among the %s", what);
		*bits_r |= w->bit;
		if (table == return_options && w->bit == IMAP_LIST_STATUS &&
		    (imap_parse_sp(p, "STATUS items", err) < 0 || imap_list_args_status(p, status_r, err) < 0))
			return -1;
	}
	return rc;
}

int imap_list_args_status(struct imap_parse *p, unsigned *items_r, struct err *err)
{
	if (words(p, status_items, "STATUS items", items_r, NULL, err) < 0)
		return -1;
	return *items_r ? 0 : err_set(err, ERR_PROTO, "Missing STATUS items");
}

const char *imap_list_args_status_name(enum imap_status_item item)
{
	const struct word *w;

	for (w = status_items; w->name && w->bit != item; w++)
		;
	return w->name;
}

static int add_pattern(struct imap_parse *p, struct imap_list *l, struct err *err)
{
	if (l->n == PATTERNS_MAX)
		return err_set(err, ERR_PROTO, "Too many mailbox patterns");
	return imap_parse_astring(p, "mailbox pattern", &l->patterns[l->n++], err);
}

static int patterns(struct imap_parse *p, struct imap_list *l, struct err *err)
{
	int rc;

	l->patterns = arena_alloc(p->arena, PATTERNS_MAX * sizeof(*l->patterns));
	if (imap_parse_peek(p) != '(')
		return add_pattern(p, l, err);
	l->is_extended = true;
	if (imap_parse_list_begin(p, "mailbox patterns", err) < 0)
		return -1;
	while ((rc = imap_parse_list_more(p, l->n, err)) > 0) {
		if (add_pattern(p, l, err) < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	return l->n ? 0 : err_set(err, ERR_PROTO, "Missing mailbox pattern");
}

static int selection(struct imap_parse *p, struct imap_list *l, struct err *err)
{
	l->is_extended = true;
	if (words(p, select_options, "selection options", &l->select, NULL, err) < 0)
		return -1;
	if ((l->select & IMAP_LIST_RECURSIVEMATCH) &&
	    !(l->select & ~(unsigned)(IMAP_LIST_RECURSIVEMATCH | IMAP_LIST_REMOTE)))
		return err_set(err, ERR_PROTO, "RECURSIVEMATCH needs another selection option");
	return imap_parse_sp(p, "reference name", err);
}

int imap_list_args_parse(struct imap_parse *p, struct imap_list *out_r, struct err *err)
{
	struct imap_list l = { 0 };

	if (imap_parse_sp(p, "reference name", err) < 0)
		return -1;
	if (imap_parse_peek(p) == '(' && selection(p, &l, err) < 0)
		return -1;
	if (imap_parse_astring(p, "reference name", &l.reference, err) < 0 ||
	    imap_parse_sp(p, "mailbox pattern", err) < 0 || patterns(p, &l, err) < 0)
		return -1;
	if (imap_parse_skip(p, ' ') && imap_parse_skip_word(p, "RETURN")) {
		l.is_extended = true;
		if (imap_parse_sp(p, "return options", err) < 0 ||
		    words(p, return_options, "return options", &l.returns, &l.status, err) < 0)
			return -1;
	}
	l.returns |= l.select & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL_USE);
	*out_r = l;
	return imap_parse_end(p, err);
}

int imap_list_args_lsub(struct imap_parse *p, struct imap_list *out_r, struct err *err)
{
	struct imap_list l = { .patterns = arena_alloc(p->arena, sizeof(*l.patterns)) };

	if (imap_parse_sp(p, "reference name", err) < 0 ||
	    imap_parse_astring(p, "reference name", &l.reference, err) < 0 ||
	    imap_parse_sp(p, "mailbox pattern", err) < 0 || add_pattern(p, &l, err) < 0)
		return -1;
	*out_r = l;
	return imap_parse_end(p, err);
}
