/* pcre: and regexp: tables. Lines "/pattern/flags result", "!/pattern/flags result", "if /pattern/flags", "endif";
 * $1 or ${1} in the result is what the first pair of parentheses matched. */
#include <ctype.h>
#include <regex.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "conf/macro.h"
#include "conf/map_rules.h"

/* What one match may cost: a key from the network must not burn the time of everybody. */
#define MATCH_LIMIT 200000
#define DEPTH_LIMIT 2000
#define HEAP_LIMIT_KB 4096
#define GROUPS_MAX 100

struct pattern {
	pcre2_code *pcre;               /* one of the two */
	pcre2_match_data *data;
	pcre2_match_context *context;
	regex_t regex;
	bool has_regex;
	size_t groups;
	regmatch_t parts[GROUPS_MAX];   /* of the last match, both kinds */
};

static void pattern_free(void *arg)
{
	struct pattern *p = arg;

	pcre2_match_context_free(p->context);
	pcre2_match_data_free(p->data);
	pcre2_code_free(p->pcre);
	if (p->has_regex)
		regfree(&p->regex);
}

/* "/pattern/flags": any other character that is no letter or digit may stand for the slash. */
static int split(struct span *text, struct span *pattern_r, struct span *flags_r, struct err *err)
{
	struct span in = *text;
	size_t i = 1, n = 0;
	char mark;

	if (in.n < 2 || isalnum((unsigned char)in.p[0]) || isspace((unsigned char)in.p[0]) || in.p[0] == '\\')
		return err_set(err, ERR_CONF, "a pattern between slashes is missing");
	mark = in.p[0];
	while (i < in.n && in.p[i] != mark)
		i += in.p[i] == '\\' ? 2 : 1;
	if (i >= in.n)
		return err_set(err, ERR_CONF, "the second '%c' of the pattern is missing", mark);
	*pattern_r = span_sub(in, 1, i - 1);
	in = span_from(in, i + 1);
	while (n < in.n && isalpha((unsigned char)in.p[n]))
		n++;
	*flags_r = span_sub(in, 0, n);
	*text = span_from(in, n);
	return 0;
}

struct group_check {
	size_t groups;
	bool is_bad;
};

static void check_group(void *arg, struct span name)
{
	struct group_check *check = arg;
	uint64_t n;

	if (span_u64(name, check->groups, &n) < 0 || n == 0)
		check->is_bad = true;
}

static int check_result(const struct pattern *p, struct span result, bool negated, bool has_result, struct err *err)
{
	struct group_check check = { .groups = negated ? 0 : p->groups };

	if (p->groups >= GROUPS_MAX)
		return err_set(err, ERR_CONF, "a pattern has at most %d pairs of parentheses", GROUPS_MAX - 1);
	if (has_result)
		macro_names(result, check_group, &check);
	if (!check.is_bad)
		return 0;
	return err_set(err, ERR_CONF, negated ? "the result of a negated pattern cannot hold $1" :
	               "the result names a pair of parentheses that the pattern does not have (it has %zu)", p->groups);
}

static int pcre_options(struct span flags, uint32_t *options_r, struct err *err)
{
	static const char letters[] = "imsxAEUX";
	static const uint32_t values[] = { PCRE2_CASELESS, PCRE2_MULTILINE, PCRE2_DOTALL, PCRE2_EXTENDED,
					   PCRE2_ANCHORED,
		PCRE2_DOLLAR_ENDONLY, PCRE2_UNGREEDY, 0 };
	const char *at;
	size_t i;

	*options_r = PCRE2_CASELESS | PCRE2_DOTALL;
	for (i = 0; i < flags.n; i++) {
		at = strchr(letters, flags.p[i]);
		if (!at)
			return err_set(err, ERR_CONF, "'%c' is no flag of a pattern (there are %s)", flags.p[i],
				       letters);
		*options_r ^= values[at - letters];
	}
	return 0;
}

static struct pattern *pattern_new(struct arena *a)
{
	struct pattern *p = arena_new(a, struct pattern);

	arena_on_free(a, pattern_free, p);
	return p;
}

static void *pcre_compile(struct span *text, bool negated, bool has_result, struct arena *a, struct err *err)
{
	struct span pattern, flags;
	struct pattern *p = pattern_new(a);
	uint32_t options, groups = 0;
	unsigned char message[128];
	PCRE2_SIZE offset;
	int code;

	if (split(text, &pattern, &flags, err) < 0 || pcre_options(flags, &options, err) < 0)
		return NULL;
	p->pcre = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &code, &offset, NULL);
	if (!p->pcre) {
		pcre2_get_error_message(code, message, sizeof(message));
		err_set(err, ERR_CONF, "in pattern '%.*s' at %zu: %s", SPAN_ARG(pattern), (size_t)offset,
			(char *)message);
		return NULL;
	}
	pcre2_pattern_info(p->pcre, PCRE2_INFO_CAPTURECOUNT, &groups);
	p->groups = groups;
	p->data = pcre2_match_data_create_from_pattern(p->pcre, NULL);
	p->context = pcre2_match_context_create(NULL);
	if (!p->data || !p->context) {
		err_set(err, ERR_TEMP, "no memory for a pattern");
		return NULL;
	}
	pcre2_set_match_limit(p->context, MATCH_LIMIT);
	pcre2_set_depth_limit(p->context, DEPTH_LIMIT);
	pcre2_set_heap_limit(p->context, HEAP_LIMIT_KB);
	return check_result(p, *text, negated, has_result, err) < 0 ? NULL : p;
}

static int pcre_match(void *pattern, const void *key, struct err *err)
{
	const struct span *k = key;
	struct pattern *p = pattern;
	PCRE2_SIZE *ends = pcre2_get_ovector_pointer(p->data);
	int rc = pcre2_match(p->pcre, (PCRE2_SPTR)k->p, k->n, 0, 0, p->data, p->context);
	size_t i;

	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc < 0)
		return err_set(err, ERR_TEMP, "matching '%.*s' is too costly (error %d)", SPAN_ARG(*k), rc);
	for (i = 0; i <= p->groups; i++) {
		bool is_set = i < (size_t)rc && ends[2 * i] != PCRE2_UNSET;

		p->parts[i].rm_so = is_set ? (regoff_t)ends[2 * i] : -1;
		p->parts[i].rm_eo = is_set ? (regoff_t)ends[2 * i + 1] : -1;
	}
	return 1;
}

static int regexp_options(struct span flags, int *options_r, struct err *err)
{
	size_t i;

	*options_r = REG_EXTENDED | REG_ICASE;
	for (i = 0; i < flags.n; i++) {
		if (flags.p[i] != 'i' && flags.p[i] != 'x' && flags.p[i] != 'm')
			return err_set(err, ERR_CONF, "'%c' is no flag of a pattern (there are i, m and x)",
				       flags.p[i]);
		*options_r ^= flags.p[i] == 'i' ? REG_ICASE : flags.p[i] == 'x' ? REG_EXTENDED : REG_NEWLINE;
	}
	return 0;
}

static void *regexp_compile(struct span *text, bool negated, bool has_result, struct arena *a, struct err *err)
{
	struct pattern *p = pattern_new(a);
	struct span pattern, flags;
	char message[128];
	int options, code;

	if (split(text, &pattern, &flags, err) < 0 || regexp_options(flags, &options, err) < 0)
		return NULL;
	code = regcomp(&p->regex, arena_strndup(a, pattern.p, pattern.n), options);
	if (code != 0) {
		regerror(code, &p->regex, message, sizeof(message));
		err_set(err, ERR_CONF, "in pattern '%.*s': %s", SPAN_ARG(pattern), message);
		return NULL;
	}
	p->has_regex = true;
	p->groups = p->regex.re_nsub;
	return check_result(p, *text, negated, has_result, err) < 0 ? NULL : p;
}

/* REG_STARTEND bounds the key without a copy. */
static int regexp_match(void *pattern, const void *key, struct err *err)
{
	const struct span *k = key;
	struct pattern *p = pattern;
	regmatch_t *parts = p->parts;
	int rc;

	parts[0] = (regmatch_t){ .rm_so = 0, .rm_eo = (regoff_t)k->n };
	rc = regexec(&p->regex, k->p, GROUPS_MAX, parts, REG_STARTEND);
	if (rc == 0 || rc == REG_NOMATCH)
		return rc == 0;
	return err_set(err, ERR_TEMP, "matching '%.*s' needs too much memory", SPAN_ARG(*k));
}

struct result {
	const struct pattern *pattern;
	struct span key;
};

static int group_text(void *arg, struct span name, struct str *out, struct err *err)
{
	const struct result *r = arg;
	const regmatch_t *part;
	uint64_t n;

	if (span_u64(name, r->pattern->groups, &n) < 0)
		return 0;
	part = &r->pattern->parts[n];
	if (part->rm_so < 0)
		return 1;
	if (str_add_span(out, span_sub(r->key, (size_t)part->rm_so, (size_t)(part->rm_eo - part->rm_so))) < 0)
		return err_set(err, ERR_TEMP, "the value is too long");
	return 1;
}

static int add_result(const struct map_rule *rule, const void *key, struct str *value, struct err *err)
{
	struct result r = { .pattern = rule->pattern, .key = *(const struct span *)key };

	return macro_expand(value, span_z(rule->result), group_text, &r, err);
}

static const struct map_rules_ops pcre_ops = { pcre_compile, pcre_match, add_result };
static const struct map_rules_ops regexp_ops = { regexp_compile, regexp_match, add_result };

static int open_with(void **state_r, const struct map_rules_ops *ops, const char *name, struct err *err)
{
	struct map_rules *r = NULL;
	int rc = map_rules_open(&r, ops, name, err);

	*state_r = r;
	return rc;
}

static int pcre_open(void **state_r, const char *name, struct err *err)
{
	return open_with(state_r, &pcre_ops, name, err);
}

static int regexp_open(void **state_r, const char *name, struct err *err)
{
	return open_with(state_r, &regexp_ops, name, err);
}

static enum map_rc pattern_get(void *state, struct span key, struct str *value, struct err *err)
{
	return map_rules_get(state, &key, value, err);
}

static void pattern_close(void *state)
{
	map_rules_free(state);
}

const struct map_type map_pcre_type = { "pcre", MAP_IS_PATTERN, pcre_open, pattern_get, pattern_close };
const struct map_type map_regexp_type = { "regexp", MAP_IS_PATTERN, regexp_open, pattern_get, pattern_close };
