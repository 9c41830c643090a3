#include "imapd/names.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "proto/imap_quote.h"
#include "proto/imap_utf7.h"

#define WIRE_MAX (4 * FOLDER_NAME_MAX)

/* IMAP4rev2 or UTF8=ACCEPT is on. */
static bool are_utf8(const struct session *s)
{
	return (s->enabled & (ENABLED_REV2 | ENABLED_UTF8)) != 0;
}

static int from_utf8(struct session *s, struct span name, struct span *folder_r, struct err *err)
{
	struct str disk = STR_INIT(WIRE_MAX);
	int rc = imap_utf7_encode(&disk, name);

	if (rc == 0)
		*folder_r = arena_span(&s->tick, str_span(&disk));
	else
		err_set(err, ERR_PERM, "[CANNOT] The folder name is no UTF-8, holds control characters, or is too long");
	str_fini(&disk);
	return rc;
}

int session_folder_in(struct session *s, struct span name, struct span *folder_r, struct err *err)
{
	*folder_r = name;
	if (are_utf8(s) && from_utf8(s, name, folder_r, err) < 0)
		return -1;
	if (folder_name_check(*folder_r, err) < 0)
		return -1;
	if (folder_is_inbox(*folder_r))
		*folder_r = SPAN_LIT("INBOX");
	return 0;
}

/* NFC, as far as that can be had. */
static struct span normal(struct session *s, struct span name)
{
	utf8proc_uint8_t *p = NULL;
	utf8proc_ssize_t n;
	struct span got = name;

	if (utf8_is_ascii(name) || !utf8_valid(name))
		return name;
	n = utf8proc_map((const utf8proc_uint8_t *)name.p, (utf8proc_ssize_t)name.n, &p, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n >= 0)
		got = arena_span(&s->tick, (struct span){ (const char *)p, (size_t)n });
	free(p);
	return got;
}

int names_in_new(struct session *s, struct span name, struct span *folder_r, bool *is_other_r, struct err *err)
{
	struct span made = name;

	if (made.n > 1 && made.p[made.n - 1] == FOLDER_SEP)
		made.n--;
	if (are_utf8(s))
		made = normal(s, made);
	*is_other_r = !span_eq(made, name);
	return session_folder_in(s, made, folder_r, err);
}

struct span names_wire(struct session *s, struct span folder)
{
	struct str utf8 = STR_INIT(WIRE_MAX);
	struct span got = folder;

	if (are_utf8(s) && imap_utf7_decode(&utf8, folder) == 0)
		got = arena_span(&s->tick, str_span(&utf8));
	str_fini(&utf8);
	return got;
}

/* RFC 3501 section 9, astring: what needs no quotes. */
static bool is_atom(struct span s)
{
	if (s.n == 0 || span_eq_nocase(s, "NIL"))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 127 || strchr("(){%*\"\\", c))
			return false;
	}
	return true;
}

static int add_quoted(struct str *out, struct span s)
{
	if (str_addc(out, '"') < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] == '"' || s.p[i] == '\\') && str_addc(out, '\\') < 0)
			return -1;
		if (str_addc(out, s.p[i]) < 0)
			return -1;
	}
	return str_addc(out, '"');
}

int session_folder_out(struct session *s, struct str *out, struct span folder)
{
	struct span name = names_wire(s, folder);

	if (is_atom(name))
		return str_add_span(out, name);
	/* UTF-8 goes in quotes now (RFC 9051 section 4.3, RFC 6855 section 3) */
	return are_utf8(s) ? add_quoted(out, name) : imap_quote_string(out, name);
}

int names_tell_other(struct session *s, struct span folder, struct span old)
{
	struct str line = STR_INIT(SIZE_MAX / 2);
	int rc = 0;

	if (!(s->enabled & ENABLED_REV2))
		return 0;
	if (str_addf(&line, "* LIST () \"%c\" ", FOLDER_SEP) < 0 || session_folder_out(s, &line, folder) < 0 ||
	    str_addz(&line, " (\"OLDNAME\" (") < 0 || add_quoted(&line, old) < 0 || str_addz(&line, "))\r\n") < 0)
		rc = session_end(s, "Folder name too long");
	if (rc == 0)
		rc = session_put(s, str_span(&line));
	str_fini(&line);
	return rc;
}
