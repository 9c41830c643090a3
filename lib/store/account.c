#include "store/account.h"

#include "base/utf8.h"

#define RECORD_VERSION "1"

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* C1 controls (U+0080..U+009F) are as dangerous on a terminal as C0. */
static bool has_control(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_control(c))
			return true;
		if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static bool has_dotdot(struct span s)
{
	size_t i;

	for (i = 1; i < s.n; i++) {
		if (s.p[i] == '.' && s.p[i - 1] == '.')
			return true;
	}
	return false;
}

static bool is_part(struct span part)
{
	return part.n > 0 && part.p[0] != '.' && part.p[0] != '-' && part.p[part.n - 1] != '.' && !has_dotdot(part);
}

bool account_name_split(struct span name, struct span *local_r, struct span *domain_r)
{
	ptrdiff_t at = span_rchr(name, '@');

	*local_r = name;
	*domain_r = SPAN_NULL;
	if (at < 0)
		return false;
	*local_r = span_sub(name, 0, (size_t)at);
	*domain_r = span_from(name, (size_t)at + 1);
	return true;
}

int account_name_fold(struct str *out, struct span name, struct err *err)
{
	static const char forbidden[] = " /\\:%\"'<>,;";
	struct span local, domain;
	size_t i;

	if (name.n == 0 || name.n > ACCOUNT_NAME_MAX)
		return err_set(err, ERR_PERM, "an account name has 1 to %d bytes", ACCOUNT_NAME_MAX);
	if (!utf8_valid(name) || has_control(name))
		return err_set(err, ERR_PERM, "an account name must be UTF-8 without control characters");
	for (i = 0; i < name.n; i++) {
		if (memchr(forbidden, name.p[i], sizeof(forbidden) - 1))
			return err_set(err, ERR_PERM, "an account name must not contain '%c'", name.p[i]);
	}
	if (!account_name_split(name, &local, &domain)) {
		if (!is_part(local))
			return err_set(err, ERR_PERM, "\"%.*s\" is not an account name", SPAN_ARG(name));
	} else if (!is_part(local) || !is_part(domain) || span_chr(local, '@') >= 0) {
		return err_set(err, ERR_PERM, "\"%.*s\" is not of the form user@domain", SPAN_ARG(name));
	}
	for (i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if (str_addc(out, c) < 0)
			return err_set(err, ERR_PERM, "the account name is too long");
	}
	return 0;
}

int account_path_check(struct span path, struct err *err)
{
	struct span rest = path, part;

	if (path.n == 0 || path.n > ACCOUNT_PATH_MAX || path.p[0] != '/')
		return err_set(err, ERR_PERM, "\"%.*s\" is not an absolute path", SPAN_ARG(path));
	if (!utf8_valid(path) || has_control(path))
		return err_set(err, ERR_PERM, "a path must be UTF-8 without control characters");
	while (span_word(&rest, "/", &part)) {
		if (span_eqz(part, ".."))
			return err_set(err, ERR_PERM, "the path \"%.*s\" contains \"..\"", SPAN_ARG(path));
	}
	return 0;
}

static int put(struct str *out, const char *key, const char *value, struct err *err)
{
	struct span v = span_z(value);

	if (!value)
		return 0;
	if (has_control(v) || !utf8_valid(v))
		return err_set(err, ERR_PERM, "the %s must be UTF-8 without control characters", key);
	if (str_addf(out, "%s=%s\n", key, value) < 0)
		return err_set(err, ERR_PERM, "the account record is too long");
	return 0;
}

static int put_u64(struct str *out, const char *key, uint64_t v, struct err *err)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	return put(out, key, buf, err);
}

int account_encode(struct str *out, const struct account *a, struct err *err)
{
	if (a->home && account_path_check(span_z(a->home), err) < 0)
		return -1;
	if (put(out, "version", RECORD_VERSION, err) < 0)
		return -1;
	if (a->has_ids && (put_u64(out, "uid", a->uid, err) < 0 || put_u64(out, "gid", a->gid, err) < 0))
		return -1;
	if (put(out, "home", a->home, err) < 0 || put(out, "mail", a->mail, err) < 0)
		return -1;
	if (a->quota && put_u64(out, "quota", a->quota, err) < 0)
		return -1;
	if (a->disabled && put(out, "disabled", "yes", err) < 0)
		return -1;
	return put(out, "comment", a->comment, err);
}

struct seen {
	bool version, uid, gid;
};

static int decode_field(struct account *a, struct seen *seen, struct span key, struct span value, struct arena *arena)
{
	uint64_t v;

	if (span_eqz(key, "version")) {
		seen->version = true;
		return span_eqz(value, RECORD_VERSION) ? 0 : -1;
	}
	if (span_eqz(key, "uid") || span_eqz(key, "gid")) {
		if (span_u64(value, UINT32_MAX - 1, &v) < 0)
			return -1;
		*(key.p[0] == 'u' ? &a->uid : &a->gid) = (uint32_t)v;
		*(key.p[0] == 'u' ? &seen->uid : &seen->gid) = true;
		return 0;
	}
	if (span_eqz(key, "quota"))
		return span_u64(value, UINT64_MAX, &a->quota);
	if (span_eqz(key, "disabled"))
		a->disabled = span_eqz(value, "yes");
	else if (span_eqz(key, "home"))
		a->home = arena_strndup(arena, value.p, value.n);
	else if (span_eqz(key, "mail"))
		a->mail = arena_strndup(arena, value.p, value.n);
	else if (span_eqz(key, "comment"))
		a->comment = arena_strndup(arena, value.p, value.n);
	return 0;
}

int account_decode(struct account *a_r, struct span name, struct span record, struct arena *arena, struct err *err)
{
	struct seen seen = { false, false, false };
	struct span line, key, value;

	*a_r = (struct account){ .name = arena_strndup(arena, name.p, name.n) };
	if (span_has_nul(record))
		return err_set(err, ERR_TEMP, "the record of %s is damaged", a_r->name);
	while (span_word(&record, "\n", &line)) {
		if (!span_cut(line, '=', &key, &value) || decode_field(a_r, &seen, key, value, arena) < 0)
			return err_set(err, ERR_TEMP, "the record of %s has a bad line \"%.*s\"", a_r->name,
				       SPAN_ARG(line));
	}
	if (!seen.version || seen.uid != seen.gid)
		return err_set(err, ERR_TEMP, "the record of %s is incomplete", a_r->name);
	a_r->has_ids = seen.uid;
	return 0;
}
