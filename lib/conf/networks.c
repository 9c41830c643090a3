#include "conf/networks.h"

#include <limits.h>

#include "conf/map_build.h"
#include "conf/source.h"

#define DEPTH_MAX 3
#define FILE_MAX ((size_t)4 << 20)

static const char seps[] = " \t\r\n,";

static int add_list(struct str *out, struct span list, bool is_negated, unsigned depth, struct err *err);

static int add_plain(struct str *out, struct span word, bool is_negated, struct err *err)
{
	if (is_negated && word.p[0] == '!')
		return err_set(err, ERR_CONF, "'%.*s' is negated twice", SPAN_ARG(word));
	if (str_addf(out, "%s%s%.*s", out->n ? " " : "", is_negated ? "!" : "", SPAN_ARG(word)) < 0)
		return err_set(err, ERR_CONF, "the list of networks is too long");
	return 0;
}

static int add_file(struct str *out, struct span path, bool is_table, bool is_negated, unsigned depth, struct err *err)
{
	char name[PATH_MAX];
	struct source src;
	struct span line, word;
	int rc;

	if (depth > DEPTH_MAX)
		return err_set(err, ERR_CONF, "%.*s: files of networks are nested too deeply", SPAN_ARG(path));
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(path));
	rc = source_open(&src, name, FILE_MAX, err);
	while (rc == 0 && source_line(&src, &line)) {
		if (!is_table)
			rc = add_list(out, line, is_negated, depth + 1, err);
		else if (span_word(&line, seps, &word))
			rc = word.p[0] == '!' || span_starts_nocase(word, "if") || span_starts_nocase(word, "endif") ?
				err_set(err, ERR_CONF, "%s:%u: '%.*s' has no place in a list of networks", name,
					src.line, SPAN_ARG(word)) :
				add_plain(out, word, is_negated, err);
	}
	source_fini(&src);
	return rc;
}

struct dump {
	struct str *out;
	bool is_negated;
	int rc;
	struct err *err;
};

/* A key is looked up whole, so it is an address or a name. Others of its table never fit; of a network that would be a
 * surprise. */
static void add_key(void *arg, struct span key, struct span value)
{
	struct dump *d = arg;
	size_t i;

	if (d->rc < 0 || key.n == 0 || key.p[0] == '!' || key.p[0] == '.')
		return;
	for (i = 0; i < key.n; i++) {
		if ((unsigned char)key.p[i] <= ' ' || key.p[i] == ',' || key.p[i] == 127)
			return;
	}
	if (span_chr(key, '/') >= 0)
		d->rc = err_set(d->err, ERR_CONF,
				"'%.*s' is a network, which an indexed table does not find (write it into a "
				"cidr: table)", SPAN_ARG(key));
	else
		d->rc = add_plain(d->out, key, d->is_negated, d->err);
}

static int add_indexed(struct str *out, struct span path, bool is_negated, struct err *err)
{
	struct dump d = { out, is_negated, 0, err };
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(path));
	if (map_build_visit(name, add_key, &d, err) < 0)
		return err_wrap(err, "to make the table run: surat map %s", name);
	return d.rc < 0 ? err_wrap(err, "%s", name) : 0;
}

static int add_list(struct str *out, struct span list, bool is_negated, unsigned depth, struct err *err)
{
	struct span word, type, path;
	int rc = 0;

	while (rc == 0 && span_word(&list, seps, &word)) {
		bool is_not = word.p[0] == '!';
		struct span bare = span_from(word, is_not);
		bool is_table = span_cut(bare, ':', &type, &path) && path.n && path.p[0] == '/';

		if (!is_table && !(bare.n && bare.p[0] == '/'))
			rc = add_plain(out, word, is_negated, err);
		else if (is_not && is_negated)
			rc = err_set(err, ERR_CONF, "'%.*s' is negated twice", SPAN_ARG(word));
		else if (!is_table)
			rc = add_file(out, bare, false, is_not || is_negated, depth, err);
		else if (span_eqz(type, "cidr") || span_eqz(type, "texthash"))
			rc = add_file(out, path, true, is_not || is_negated, depth, err);
		else if (span_eqz(type, "hash") || span_eqz(type, "lmdb") || span_eqz(type, "btree"))
			rc = add_indexed(out, path, is_not || is_negated, err);
		else
			rc = err_set(err, ERR_CONF,
				     "%.*s: a list of networks takes plain files, cidr:, texthash: and hash:",
				     SPAN_ARG(bare));
	}
	return rc;
}

int networks_inline(struct str *out, struct span list, struct err *err)
{
	return add_list(out, list, false, 0, err);
}
