#include "conf/mastercf.h"

#include <ctype.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>

#include "base/mem.h"
#include "conf/macro.h"
#include "conf/nearest.h"
#include "conf/param.h"
#include "conf/source.h"

#define MASTER_CF_MAX (1 << 20)
#define COLUMNS 8
#define OVERRIDES_MAX 200

enum kind {
	KIND_OURS,              /* runs */
	KIND_NEEDLESS,          /* Surat does the same without this daemon */
	KIND_ABSENT,            /* something would be missing; the rest runs */
	KIND_REFUSED,           /* something that was meant to listen would not */
};

static const struct command {
	const char *name;
	enum kind kind;
	const char *advice;
} commands[] = {
	{ "smtpd", KIND_OURS, NULL },
	{ "login", KIND_OURS, NULL },
	{ "qmgr", KIND_OURS, NULL },
	{ "local", KIND_OURS, NULL },
	{ "resolve", KIND_OURS, NULL },
	{ "anvil", KIND_OURS, NULL },
	{ "auth", KIND_OURS, NULL },
	{ "pop3d", KIND_OURS, NULL },
	{ "imapd", KIND_OURS, NULL },
	{ "smtp", KIND_ABSENT, "the SMTP client is not built in yet" },
	{ "lmtp", KIND_ABSENT, "the LMTP client is not built in yet" },
	{ "pipe", KIND_ABSENT, "pipe transports are not built in yet" },
	{ "virtual", KIND_NEEDLESS, "local delivers to virtual mailboxes too" },
	{ "pickup", KIND_NEEDLESS, "sendmail speaks to smtpd" },
	{ "cleanup", KIND_NEEDLESS, "smtpd and qmgr do its work" },
	{ "oqmgr", KIND_NEEDLESS, "there is one queue manager" },
	{ "nqmgr", KIND_NEEDLESS, "there is one queue manager" },
	{ "tlsmgr", KIND_NEEDLESS, "no daemon is needed for TLS sessions" },
	{ "trivial-rewrite", KIND_NEEDLESS, "resolve does its work" },
	{ "bounce", KIND_NEEDLESS, "qmgr writes the notices" },
	{ "verify", KIND_NEEDLESS, "addresses are not probed" },
	{ "flush", KIND_NEEDLESS, "the queue is a database" },
	{ "proxymap", KIND_NEEDLESS, "resolve reads all tables" },
	{ "scache", KIND_NEEDLESS, "connections are not shared between processes" },
	{ "showq", KIND_NEEDLESS, "qmgr lists the queue" },
	{ "error", KIND_NEEDLESS, "resolve and qmgr do its work" },
	{ "retry", KIND_NEEDLESS, "resolve and qmgr do its work" },
	{ "discard", KIND_NEEDLESS, "resolve and qmgr do its work" },
	{ "postlogd", KIND_NEEDLESS, "logger does its work" },
	{ "dnsblog", KIND_NEEDLESS, "there is no postscreen" },
	{ "tlsproxy", KIND_NEEDLESS, "there is no postscreen" },
	{ "postscreen", KIND_REFUSED, "write smtpd in its place" },
	{ "qmqpd", KIND_REFUSED, "there is no QMQP" },
	{ "spawn", KIND_REFUSED, "programs cannot be started for connections" },
};

struct parse {
	struct mastercf *m;
	const struct conf *base;
	struct conf_errors *errors;
	size_t cap;
	const char *file;
	unsigned line;
};

PRINTF(2, 3) static void complain(struct parse *p, const char *fmt, ...)
{
	char msg[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	conf_error(p->errors, "%s:%u: %s", p->file, p->line, msg);
}

static const struct command *find_command(struct parse *p, struct span name)
{
	struct str hint = STR_INIT(200);
	struct nearest near;
	char want[64];
	size_t i;

	snprintf(want, sizeof(want), "%.*s", SPAN_ARG(name));
	nearest_init(&near, want);
	for (i = 0; i < ARRAY_LEN(commands); i++) {
		if (span_eqz(name, commands[i].name))
			return &commands[i];
		nearest_offer(&near, commands[i].name);
	}
	complain(p, "unknown command '%s'%s", want, nearest_hint(&near, &hint));
	str_fini(&hint);
	return NULL;
}

/* The ports of mail stand here so that they need no /etc/services. */
static int port_number(const char *name, uint16_t *port_r)
{
	static const struct {
		const char *name;
		uint16_t port;
	} ports[] = {
		{ "smtp", 25 }, { "submission", 587 }, { "submissions", 465 }, { "smtps", 465 }, { "pop3", 110 },
		{ "pop3s", 995 }, { "imap", 143 }, { "imap2", 143 }, { "imaps", 993 },
	};
	struct servent *entry;
	uint64_t number;
	size_t i;

	if (span_u64(span_z(name), 65535, &number) == 0) {
		*port_r = (uint16_t)number;
		return number ? 0 : -1;
	}
	for (i = 0; i < ARRAY_LEN(ports); i++) {
		if (strcmp(name, ports[i].name) == 0) {
			*port_r = ports[i].port;
			return 0;
		}
	}
	entry = getservbyname(name, "tcp");
	if (!entry)
		return -1;
	*port_r = ntohs((uint16_t)entry->s_port);
	return 0;
}

/* "smtp", "587", "127.0.0.1:10025", "[::1]:25" */
static void parse_endpoint(struct parse *p, struct mastercf_service *s)
{
	struct span name = span_z(s->name), host = SPAN_NULL, port = name;
	ptrdiff_t colon = span_rchr(name, ':');

	if (colon >= 0) {
		host = span_sub(name, 0, (size_t)colon);
		port = span_from(name, (size_t)colon + 1);
		if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
			host = span_sub(host, 1, host.n - 2);
		else if (span_chr(host, ':') >= 0 || span_chr(host, '[') >= 0)
			complain(p, "'%s': an IPv6 address stands in brackets, as in [::1]:25", s->name);
		if (host.n)
			s->host = arena_strndup(&p->m->arena, host.p, host.n);
	}
	if (port_number(arena_strndup(&p->m->arena, port.p, port.n), &s->port) < 0)
		complain(p, "'%.*s' is neither a port nor the name of a service", SPAN_ARG(port));
}

/* "-" is yes in all columns. */
static bool parse_yes_no(struct parse *p, const char *column, struct span v)
{
	if (v.n != 1 || !strchr("yn-", v.p[0]))
		complain(p, "column '%s' is '%.*s', not y, n or -", column, SPAN_ARG(v));
	return !span_eqz(v, "n");
}

static void parse_columns(struct parse *p, struct mastercf_service *s, const struct span *col)
{
	struct span wakeup = col[5];
	uint64_t number = 0;

	if (span_eqz(col[1], "inet"))
		s->type = MASTERCF_INET;
	else if (span_eqz(col[1], "unix") || span_eqz(col[1], "fifo") || span_eqz(col[1], "unix-dgram"))
		s->type = MASTERCF_UNIX;
	else if (span_eqz(col[1], "pass"))
		s->type = MASTERCF_PASS;
	else
		complain(p, "type '%.*s' is none of inet, unix, pass and fifo", SPAN_ARG(col[1]));
	s->is_private = parse_yes_no(p, "private", col[2]);
	parse_yes_no(p, "unpriv", col[3]);
	parse_yes_no(p, "chroot", col[4]);
	if (wakeup.n > 1 && wakeup.p[wakeup.n - 1] == '?')
		wakeup.n--;
	if (!span_eqz(wakeup, "-") && span_u64(wakeup, INT32_MAX, &number) < 0)
		complain(p, "column 'wakeup' is '%.*s', not a number of seconds or -", SPAN_ARG(col[5]));
	if (!span_eqz(col[6], "-") && span_u64(col[6], INT32_MAX, &s->max_sessions) < 0)
		complain(p, "column 'maxproc' is '%.*s', not a number or -", SPAN_ARG(col[6]));
	else if (span_eqz(col[6], "0"))
		s->max_sessions = MASTERCF_UNLIMITED;
}

static void add_override(struct parse *p, struct mastercf_override *o, size_t *n, struct span option)
{
	struct span name, value, inside, rest;

	if (macro_group(option, &inside, &rest) && !rest.n)
		option = span_trim(inside);
	if (!span_cut(option, '=', &name, &value) || !span_trim(name).n) {
		complain(p, "'-o %.*s' is not of the form name=value", SPAN_ARG(option));
		return;
	}
	if (*n == OVERRIDES_MAX) {
		complain(p, "a service has at most %d options", OVERRIDES_MAX);
		return;
	}
	name = span_trim(name);
	value = span_trim(value);
	o[*n] = (struct mastercf_override){ arena_strndup(&p->m->arena, name.p, name.n),
	                                    arena_strndup(&p->m->arena, value.p, value.n) };
	++*n;
}

/* Words split at blanks outside of braces; unlike in lists, commas are part of a word. */
static bool next_arg(struct span *in, struct span *word_r)
{
	size_t depth = 0, i;

	*in = span_trim(*in);
	for (i = 0; i < in->n && (depth || !isspace((unsigned char)in->p[i])); i++) {
		depth += in->p[i] == '{';
		depth -= in->p[i] == '}' && depth > 0;
	}
	*word_r = span_sub(*in, 0, i);
	*in = span_from(*in, i);
	return i > 0;
}

static void parse_args(struct parse *p, struct mastercf_service *s, struct span args)
{
	struct mastercf_override o[OVERRIDES_MAX], *copy;
	struct span word;
	size_t n = 0;

	while (next_arg(&args, &word)) {
		if (span_eqz(word, "-o")) {
			if (next_arg(&args, &word))
				add_override(p, o, &n, word);
			else
				complain(p, "name=value is missing after -o");
		} else if (span_starts(word, "-o")) {
			add_override(p, o, &n, span_from(word, 2));
		} else if (span_eqz(word, "-v") || span_eqz(word, "-vv")) {
			conf_error(p->errors, "warning: %s:%u: -v has no effect: set debug_level", p->file, p->line);
		} else {
			complain(p, "'%.*s' is not an option of %s (there is -o name=value)", SPAN_ARG(word),
				 s->command);
		}
	}
	copy = arena_alloc(&p->m->arena, (n + 1) * sizeof(*copy));
	memcpy(copy, o, n * sizeof(*copy));
	s->overrides = copy;
	s->n_overrides = n;
}

static struct span without_s(struct span word)
{
	return span_ends_nocase(word, "s") ? span_sub(word, 0, word.n - 1) : word;
}

/* protocols against what the service speaks, "pop3s" being pop3; an odd name is for login to complain about. */
static bool is_served(const struct conf *layer, const char *service)
{
	static const char *const known[] = { "imap", "pop3" };
	struct str speaks = STR_INIT(MACRO_MAX), all = STR_INIT(MACRO_MAX);
	struct span in, word;
	bool found = true;
	struct err err;
	size_t i;

	if (conf_expand_name(&speaks, layer, "login_protocol", &err) == 0 &&
	    conf_expand_name(&all, layer, "protocols", &err) == 0)
		for (i = 0; i < ARRAY_LEN(known); i++)
			if (span_eq_nocase(without_s(speaks.n ? str_span(&speaks) : span_z(service)), known[i]))
				for (found = false, in = str_span(&all); !found && macro_word(&in, &word);)
					found = span_eq_nocase(without_s(word), known[i]);
	str_fini(&speaks);
	str_fini(&all);
	return found;
}

/* Names of Postfix and Dovecot are judged as in main.cf; what has no effect leaves the row. */
static void drop_foreign(struct parse *p, struct mastercf_service *s)
{
	struct mastercf_override *kept = arena_alloc(&p->m->arena, (s->n_overrides + 1) * sizeof(*kept));
	size_t i, n = 0;

	for (i = 0; i < s->n_overrides; i++) {
		const struct mastercf_override *o = &s->overrides[i];
		const struct param_foreign *f = conf_raw(p->base, o->name) ? NULL : param_foreign(o->name);

		if (!f)
			kept[n++] = *o;
		else if (f->is_refused && o->value[0] && strcmp(o->value, "no") != 0)
			complain(p, "parameter '%s' is not supported: %s", o->name, f->advice);
		else
			conf_error(p->errors, "warning: %s:%u: parameter '%s' has no effect: %s", p->file, p->line,
				   o->name, f->advice);
	}
	s->overrides = kept;
	s->n_overrides = n;
}

/* False when the service is not to run. */
static bool check_overrides(struct parse *p, const struct mastercf_service *s)
{
	bool is_wanted = true;
	struct conf layer;
	struct err err;
	size_t i;

	conf_overlay(&layer, p->base);
	if (conf_set(&layer, "service_name", s->name, p->file, p->line, &err) < 0)
		complain(p, "%s", err.msg);
	for (i = 0; i < s->n_overrides; i++)
		if (conf_set(&layer, s->overrides[i].name, s->overrides[i].value, p->file, p->line, &err) < 0)
			complain(p, "%s", err.msg);
	conf_check(&layer, p->errors);
	if (strcmp(s->command, "login") == 0 && !is_served(&layer, s->name)) {
		conf_error(p->errors,
			   "warning: %s:%u: service '%s' is not started: protocols does not name its protocol", p->file,
			   p->line, s->name);
		is_wanted = false;
	}
	conf_fini(&layer);
	return is_wanted;
}

static bool is_twice(struct parse *p, const struct mastercf_service *s)
{
	size_t i;

	for (i = 0; i < p->m->n; i++) {
		if (strcmp(p->m->v[i].name, s->name) == 0 && p->m->v[i].type == s->type) {
			complain(p, "service '%s' stands in line %u already", s->name, p->m->v[i].line);
			return true;
		}
	}
	return false;
}

static void add_service(struct parse *p, const struct mastercf_service *s)
{
	if (p->m->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->m->v = xrealloc(p->m->v, p->cap * sizeof(*p->m->v));
	}
	p->m->v[p->m->n++] = *s;
}

static void parse_row(struct parse *p, struct span row)
{
	struct mastercf_service s = { .line = p->line };
	const struct command *command;
	struct span col[COLUMNS];
	size_t n = 0;

	while (n < COLUMNS && next_arg(&row, &col[n]))
		n++;
	if (n < COLUMNS) {
		complain(p, "a service has 8 columns (service type private unpriv chroot wakeup maxproc command), "
			 "here are %zu", n);
		return;
	}
	command = find_command(p, col[7]);
	if (!command)
		return;
	if (command->kind == KIND_REFUSED)
		complain(p, "command '%s' is not supported: %s", command->name, command->advice);
	else if (command->kind != KIND_OURS)
		conf_error(p->errors, "warning: %s:%u: service '%.*s' is %s: %s", p->file, p->line, SPAN_ARG(col[0]),
		           command->kind == KIND_NEEDLESS ? "not needed" : "not started", command->advice);
	if (command->kind != KIND_OURS)
		return;
	s.name = arena_strndup(&p->m->arena, col[0].p, col[0].n);
	s.command = command->name;
	parse_columns(p, &s, col);
	if (s.type == MASTERCF_INET)
		parse_endpoint(p, &s);
	parse_args(p, &s, row);
	if (p->base)
		drop_foreign(p, &s);
	if (p->base && !check_overrides(p, &s))
		return;
	if (!is_twice(p, &s))
		add_service(p, &s);
}

int mastercf_parse(struct mastercf *m, const char *file, struct span text, const struct conf *base,
                   struct conf_errors *errors)
{
	struct parse p = { .m = m, .base = base, .errors = errors };
	size_t before = conf_errors_wrong(errors);
	struct source src;
	struct span line;

	*m = (struct mastercf){ 0 };
	m->file = p.file = arena_strdup(&m->arena, file);
	source_init(&src, file, text);
	while (source_line(&src, &line)) {
		p.line = src.line;
		parse_row(&p, line);
	}
	source_fini(&src);
	return conf_errors_wrong(errors) > before ? -1 : 0;
}

int mastercf_load(struct mastercf *m, const char *dir, const struct conf *base, struct conf_errors *errors)
{
	struct str path = STR_INIT(4096);
	struct source src;
	struct err err;
	int rc = -1;

	*m = (struct mastercf){ 0 };
	source_init(&src, dir, SPAN_NULL);
	if (str_addf(&path, "%s/master.cf", dir) < 0)
		conf_error(errors, "the name of the configuration directory is too long");
	else if (source_open(&src, path.p, MASTER_CF_MAX, &err) < 0)
		conf_error(errors, "%s", err.msg);
	else
		rc = mastercf_parse(m, path.p, src.rest, base, errors);
	source_fini(&src);
	str_fini(&path);
	return rc;
}

int mastercf_overlay(struct conf *c, const struct conf *base, const struct mastercf *m,
                     const struct mastercf_service *s, struct err *err)
{
	size_t i;

	conf_overlay(c, base);
	if (conf_set(c, "service_name", s->name, m->file, s->line, err) < 0)
		return -1;
	for (i = 0; i < s->n_overrides; i++)
		if (conf_set(c, s->overrides[i].name, s->overrides[i].value, m->file, s->line, err) < 0)
			return -1;
	return 0;
}

int mastercf_add_options(const struct mastercf_service *s, struct str *out)
{
	size_t i;

	for (i = 0; i < s->n_overrides; i++)
		if (str_addf(out, "%s = %s\n", s->overrides[i].name, s->overrides[i].value) < 0)
			return -1;
	return 0;
}

const struct mastercf_service *mastercf_find(const struct mastercf *m, const char *command)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->v[i].command, command) == 0)
			return &m->v[i];
	return NULL;
}

void mastercf_fini(struct mastercf *m)
{
	free(m->v);
	arena_fini(&m->arena);
	*m = (struct mastercf){ 0 };
}
