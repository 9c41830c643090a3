#include "proto/imap_id.h"

#include <strings.h>

#include "base/attr.h"
#include "proto/imap_quote.h"

#define FIELD_MAX 30
#define VALUE_MAX 1024

int imap_id_parse(struct imap_parse *p, struct imap_id *id_r, struct err *err)
{
	struct span nil;
	size_t n;
	int rc;

	*id_r = (struct imap_id){ 0 };
	if (imap_parse_sp(p, "parameter list", err) < 0)
		return -1;
	if (imap_parse_peek(p) != '(')
		return imap_parse_nstring(p, "parameter list", &nil, err) < 0 || nil.p ?
			err_set(err, ERR_PROTO, "ID wants NIL or a parenthesized list.") : 0;
	if (imap_parse_list_begin(p, "parameter", err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		if (n == IMAP_ID_PAIRS)
			return err_set(err, ERR_PROTO, "ID has more than %d fields.", IMAP_ID_PAIRS);
		if (imap_parse_string(p, "field", &id_r->v[n].field, err) < 0 || imap_parse_sp(p, "value", err) < 0 ||
		    imap_parse_nstring(p, "value", &id_r->v[n].value, err) < 0)
			return -1;
		if (id_r->v[n].field.n > FIELD_MAX || id_r->v[n].value.n > VALUE_MAX)
			return err_set(err, ERR_PROTO, "A field or value of ID is too long.");
		id_r->n = n + 1;
	}
	return rc;
}

static struct span truth(struct span field)
{
	static const char *const known[][2] = {
		{ "name", "Surat" }, { "version", SURAT_VERSION }, { "vendor", "Surat" }, { "os", "Linux" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++) {
		if (span_eq_nocase(field, known[i][0]))
			return span_z(known[i][1]);
	}
	return SPAN_NULL;
}

int imap_id_print(struct str *out, const char *setting)
{
	struct span rest = span_z(setting), field, value;
	size_t start = out->n;
	int rc = 0;

	while (rc == 0 && span_word(&rest, " ", &field) && span_word(&rest, " ", &value)) {
		if (span_eqz(value, "*"))
			value = truth(field);
		rc = str_addc(out, out->n == start ? '(' : ' ');
		rc = rc < 0 ? rc : imap_quote_string(out, field);
		rc = rc < 0 ? rc : str_addc(out, ' ');
		rc = rc < 0 ? rc : imap_quote_nstring(out, value);
	}
	if (rc == 0)
		rc = out->n == start ? str_addz(out, "NIL") : str_addc(out, ')');
	return rc;
}

static bool is_named(const char *setting, struct span field)
{
	struct span rest = span_z(setting), word;

	while (span_word(&rest, " ", &word)) {
		if (span_eqz(word, "*") || span_same_nocase(word, field))
			return true;
	}
	return false;
}

bool imap_id_log(struct str *out, const struct imap_id *id, const char *setting)
{
	size_t i, start = out->n;

	for (i = 0; i < id->n; i++) {
		struct span v = id->v[i].value.p ? id->v[i].value : SPAN_LIT("NIL");

		if (is_named(setting, id->v[i].field))
			(void)!str_addf(out, "%s%.*s=%.*s", out->n > start ? ", " : "", SPAN_ARG(id->v[i].field),
					SPAN_ARG(v));
	}
	return out->n > start;
}
