#include "imapd/cmd_status.h"
#include "imapd/commands.h"
#include "imapd/listing.h"

/* "a." of "a.b": what the client must put before names to stay in the hierarchy of its reference. */
static struct span root_of(struct span reference)
{
	ptrdiff_t at = span_chr(reference, FOLDER_SEP);

	return at < 0 ? SPAN_LIT("") : span_sub(reference, 0, (size_t)at + 1);
}

static int tell_root(struct session *s, struct span reference)
{
	struct str name = STR_INIT(SIZE_MAX / 2);
	int rc = session_folder_out(s, &name, root_of(reference));

	if (rc == 0)
		rc = session_putf(s, "* LIST (\\Noselect) \"%c\" %s\r\n", FOLDER_SEP, name.p);
	str_fini(&name);
	return rc;
}

static void add_word(struct str *out, const char *word)
{
	if (out->n && out->p[out->n - 1] != '(')
		BUG(str_addc(out, ' ') < 0);
	BUG(str_addz(out, word) < 0);
}

static void add_attributes(struct str *out, const struct imap_list *args, const struct folder *f, bool is_rev2)
{
	bool is_plain = !args->is_extended;

	if ((args->returns & IMAP_LIST_SUBSCRIBED) && f->is_subscribed)
		add_word(out, "\\Subscribed");
	if (!f->exists)
		add_word(out, is_plain && !is_rev2 ? "\\Noselect" : "\\NonExistent");
	if (is_plain || (args->returns & IMAP_LIST_CHILDREN))
		add_word(out, f->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (is_plain || (args->returns & IMAP_LIST_SPECIAL_USE))
		for (unsigned use = 1; use <= f->special; use <<= 1)
			if (f->special & use)
				add_word(out, folder_use_name(use));
}

/* RFC 5258 section 3.5: by which options a folder below was selected. */
static void add_child_info(struct str *out, unsigned select)
{
	BUG(str_addz(out, " (\"CHILDINFO\" (") < 0);
	if (select & IMAP_LIST_SUBSCRIBED)
		add_word(out, "\"SUBSCRIBED\"");
	if (select & IMAP_LIST_SPECIAL_USE)
		add_word(out, "\"SPECIAL-USE\"");
	BUG(str_addz(out, "))") < 0);
}

static int tell(struct session *s, struct str *line, const struct imap_list *args, const struct folder *f, unsigned bits)
{
	struct err err = ERR_INIT;

	str_reset(line);
	BUG(str_addz(line, "* LIST (") < 0);
	add_attributes(line, args, f, (s->enabled & ENABLED_REV2) != 0);
	BUG(str_addf(line, ") \"%c\" ", FOLDER_SEP) < 0);
	BUG(session_folder_out(s, line, span_z(f->name)) < 0);
	if ((args->select & IMAP_LIST_RECURSIVEMATCH) && (bits & LISTING_BELOW))
		add_child_info(line, args->select);
	if (session_putf(s, "%s\r\n", line->p) < 0)
		return -1;
	/* a folder whose numbers cannot be had is listed without them (RFC 5819 section 2) */
	if ((args->returns & IMAP_LIST_STATUS) && f->exists && status_tell(s, span_z(f->name), args->status, &err) < 0) {
		if (s->reason)
			return -1;
		session_log_error(s, &err);
	}
	return 0;
}

static int tell_all(struct session *s, const struct imap_list *args, const struct listing *l)
{
	struct str line = STR_INIT(SIZE_MAX / 2);
	int rc = 0;

	for (size_t i = 0; i < l->folders.n && rc == 0; i++)
		if (l->bits[i] & LISTING_SHOWN)
			rc = tell(s, &line, args, &l->folders.v[i], l->bits[i]);
	str_fini(&line);
	return rc;
}

enum cmd_rc cmd_list(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct imap_list args;
	struct listing l;
	int rc;

	if (imap_list_args_parse(&c->args, &args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (!args.is_extended && args.patterns[0].n == 0) {
		rc = tell_root(s, args.reference);
	} else {
		if (listing_make(s, &args, &l, &err) < 0)
			return session_fail(s, c, NULL, &err);
		rc = tell_all(s, &args, &l);
	}
	return rc < 0 ? CMD_END : session_ok(s, c, "List completed.");
}
