#include "resolve/rules.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>

#include "base/mem.h"
#include "conf/param.h"

#define DOMAINS_FILE_MAX (1 << 20)
#define LITERALS_MAX 256        /* addresses of this machine */

/* ---- domain lists ---- */

struct span rules_lower(struct arena *a, struct span s)
{
	char *z = arena_strndup(a, s.p, s.n);
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (z[i] >= 'A' && z[i] <= 'Z')
			z[i] = (char)(z[i] + ('a' - 'A'));
	}
	return (struct span){ z, s.n };
}

/* The words of "/file/name", one a line or several; '#' begins a comment. */
static int read_domains_file(struct rules *r, const char *path, struct conf_list *words_r, struct err *err)
{
	struct str text = STR_INIT(DOMAINS_FILE_MAX), words = STR_INIT(DOMAINS_FILE_MAX);
	FILE *f = fopen(path, "re");
	struct span line, rest, head;
	char *to;
	int rc = 0;

	if (!f)
		return err_sys(err, "cannot read the domains in %s", path);
	while (rc == 0 && (to = str_room(&text, 4096)) != NULL) {
		size_t n = fread(to, 1, 4096, f);

		str_grew(&text, n);
		if (n == 0)
			break;
	}
	if (ferror(f))
		rc = err_sys(err, "cannot read the domains in %s", path);
	fclose(f);
	for (rest = str_span(&text); rc == 0 && rest.n;) {
		span_cut(rest, '\n', &line, &rest);
		span_cut(line, '#', &head, &line);
		if (str_add_span(&words, head) < 0 || str_addc(&words, ' ') < 0)
			rc = err_set(err, ERR_CONF, "%s is too large", path);
	}
	if (rc == 0)
		*words_r = param_split(arena_span(&r->arena, str_span(&words)), &r->arena);
	str_fini(&text);
	str_fini(&words);
	return rc;
}

static void push_domain(struct rules *r, struct rules_domains *d, struct rules_domain e)
{
	if (d->n == d->cap) {
		struct rules_domain *v = arena_alloc(&r->arena, (d->cap = d->cap * 2 + 8) * sizeof(*v));

		if (d->n)
			memcpy(v, d->v, d->n * sizeof(*v));
		d->v = v;
	}
	d->v[d->n++] = e;
}

static int add_domains(struct rules *r, struct rules_domains *d, const struct conf_list *words, bool below,
		       unsigned depth, struct err *err)
{
	size_t i;

	for (i = 0; i < words->n; i++) {
		struct span w = span_z(words->v[i]);
		struct rules_domain e = { .takes_name = true, .takes_below = below };
		struct conf_list inside;

		if (w.n && w.p[0] == '!') {
			e.is_not = true;
			w = span_from(w, 1);
		}
		if (w.n && w.p[0] == '/') {
			if (depth > 3 || e.is_not)
				return err_set(err, ERR_CONF, "%s: a file of domains is negated or nested too deeply",
					       w.p);
			if (read_domains_file(r, w.p, &inside, err) < 0 ||
			    add_domains(r, d, &inside, below, depth + 1, err) < 0)
				return -1;
			continue;
		}
		if (maps_is_table(w)) {
			e.table = maps_add(r->maps, w);
		} else if (w.n && w.p[0] == '.') {
			e.takes_name = false;
			e.takes_below = true;
			w = span_from(w, 1);
		}
		e.name = rules_lower(&r->arena, w);
		push_domain(r, d, e);
	}
	return 0;
}

static bool is_below(struct span domain, struct span name)
{
	return domain.n > name.n + 1 && domain.p[domain.n - name.n - 1] == '.' &&
	       span_eq(span_from(domain, domain.n - name.n), name);
}

/* The domain, then what it is below: as "example.com" where that stands for its subdomains, else as ".example.com". A
 * pattern is asked for the whole name only. */
static enum map_rc in_table(const struct rules_domain *e, struct span domain, struct arena *a, struct err *err)
{
	enum map_rc rc;
	struct span value;
	ptrdiff_t dot;

	rc = maps_get(e->table, domain, a, &value, err);
	while (rc == MAP_NONE && !maps_is_pattern(e->table) && (dot = span_chr(span_from(domain, 1), '.')) >= 0) {
		domain = span_from(domain, (size_t)dot + 1);
		rc = maps_get(e->table, e->takes_below ? span_from(domain, 1) : domain, a, &value, err);
	}
	return rc;
}

/* MAP_FOUND when the list holds the domain. */
static enum map_rc in_domains(const struct rules_domains *d, struct span domain, struct arena *a, struct err *err)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		const struct rules_domain *e = &d->v[i];
		enum map_rc rc = MAP_NONE;

		if (e->table)
			rc = in_table(e, domain, a, err);
		else if ((e->takes_name && span_eq(domain, e->name)) || (e->takes_below && is_below(domain, e->name)))
			rc = MAP_FOUND;
		if (rc == MAP_TEMP)
			return rc;
		if (rc == MAP_FOUND)
			return e->is_not ? MAP_NONE : MAP_FOUND;
	}
	return MAP_NONE;
}

static bool is_own_literal(const struct rules *r, struct span domain)
{
	size_t i;

	for (i = 0; i < r->n_literals; i++) {
		if (span_eq_nocase(domain, r->literals[i]))
			return true;
	}
	return false;
}

enum map_rc rules_class(const struct rules *r, struct span domain, struct arena *a, enum addr_class *class_r,
			struct err *err)
{
	const struct {
		const struct rules_domains *domains;
		enum addr_class class;
	} order[] = {
		{ &r->mydestination, ADDR_LOCAL },
		{ &r->virtual_alias_domains, ADDR_VIRTUAL_ALIAS },
		{ &r->virtual_mailbox_domains, ADDR_VIRTUAL_MAILBOX },
		{ &r->relay_domains, ADDR_RELAY },
	};
	size_t i;

	*class_r = ADDR_LOCAL;
	if (domain.n == 0 || is_own_literal(r, domain))
		return MAP_FOUND;
	for (i = 0; i < ARRAY_LEN(order); i++) {
		enum map_rc rc = in_domains(order[i].domains, domain, a, err);

		*class_r = order[i].class;
		if (rc != MAP_NONE)
			return rc;
	}
	*class_r = ADDR_OTHER;
	return MAP_FOUND;
}

bool rules_extension(const struct rules *r, struct span local, struct span *base_r, struct span *ext_r)
{
	const char *delims = r->global.recipient_delimiter;

	if (r->local.owner_request_special && strchr(delims, '-') &&
	    (span_starts_nocase(local, "owner-") || span_ends_nocase(local, "-request")))
		delims = NULL;
	return address_extension(local, delims, base_r, ext_r);
}

/* ---- own addresses ---- */

static void add_literal(struct arena *a, const char **v, size_t *n, const struct sockaddr *sa)
{
	char text[INET6_ADDRSTRLEN];
	const void *ip;

	if (!sa || *n == LITERALS_MAX)
		return;
	if (sa->sa_family == AF_INET)
		ip = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	else if (sa->sa_family == AF_INET6)
		ip = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	else
		return;
	if (inet_ntop(sa->sa_family, ip, text, sizeof(text)))
		v[(*n)++] = arena_printf(a, sa->sa_family == AF_INET ? "[%s]" : "[IPv6:%s]", text);
}

int rules_literals(const struct conf *c, struct arena *a, const char *const **literals_r, size_t *n_r, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *at;
	const char **v = arena_alloc(a, LITERALS_MAX * sizeof(*v));
	struct ifaddrs *own, *o;
	struct global_conf g;
	size_t i, n = 0;

	if (global_conf_read(&g, c, a, err) < 0)
		return -1;
	for (i = 0; i < g.inet_interfaces.n; i++) {
		const char *name = g.inet_interfaces.v[i];

		if (strcmp(name, "all") == 0) {
			if (getifaddrs(&own) < 0)
				return err_sys(err, "cannot list the addresses of this machine");
			for (o = own; o; o = o->ifa_next)
				add_literal(a, v, &n, o->ifa_addr);
			freeifaddrs(own);
			continue;
		}
		if (strcmp(name, "loopback-only") == 0)
			name = "localhost";
		if (getaddrinfo(name, NULL, &hints, &list) == 0) {
			for (at = list; at; at = at->ai_next)
				add_literal(a, v, &n, at->ai_addr);
			freeaddrinfo(list);
		}
	}
	*literals_r = v;
	*n_r = n;
	return 0;
}

/* ---- the snapshot ---- */

static int read_domains(struct rules *r, struct err *err)
{
	bool below = conf_list_has(&r->resolve.parent_domain_matches_subdomains, SPAN_LIT("relay_domains"));

	if (add_domains(r, &r->mydestination, &r->global.mydestination, false, 0, err) < 0 ||
	    add_domains(r, &r->virtual_alias_domains, &r->global.virtual_alias_domains, false, 0, err) < 0 ||
	    add_domains(r, &r->virtual_mailbox_domains, &r->global.virtual_mailbox_domains, false, 0, err) < 0)
		return -1;
	return add_domains(r, &r->relay_domains, &r->resolve.relay_domains, below, 0, err);
}

/* The user store knows the quotas of its users: without a table of limits it is asked. */
static void name_quotas(struct rules *r)
{
	const struct conf_list *from = &r->global.virtual_mailbox_maps;
	struct conf_list names = { arena_alloc(&r->arena, (from->n + 1) * sizeof(*names.v)), 0 };
	size_t i;

	for (i = 0; i < from->n; i++) {
		if (strncmp(from->v[i], "users:", 6) == 0 && !strchr(from->v[i] + 6, ':'))
			names.v[names.n++] = arena_printf(&r->arena, "%s:quota", from->v[i]);
	}
	r->virtual_limit_maps = maps_list(r->maps, &names, &r->arena);
}

static void name_tables(struct rules *r)
{
	const struct {
		struct maps_list *to;
		const struct conf_list *from;
	} rows[] = {
		{ &r->alias_maps, &r->global.alias_maps },
		{ &r->virtual_alias_maps, &r->global.virtual_alias_maps },
		{ &r->virtual_mailbox_maps, &r->global.virtual_mailbox_maps },
		{ &r->virtual_uid_maps, &r->global.virtual_uid_maps },
		{ &r->virtual_gid_maps, &r->global.virtual_gid_maps },
		{ &r->virtual_limit_maps, &r->resolve.virtual_mailbox_limit_maps },
		{ &r->local_recipient_maps, &r->resolve.local_recipient_maps },
		{ &r->relay_recipient_maps, &r->resolve.relay_recipient_maps },
		{ &r->transport_maps, &r->resolve.transport_maps },
		{ &r->sender_transport_maps, &r->resolve.sender_dependent_default_transport_maps },
		{ &r->sender_relayhost_maps, &r->resolve.sender_dependent_relayhost_maps },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		*rows[i].to = maps_list(r->maps, rows[i].from, &r->arena);
	r->passwd = maps_add(r->maps, SPAN_LIT("unix:passwd.byname"));
	if (r->virtual_limit_maps.n == 0)
		name_quotas(r);
}

struct rules *rules_new(const struct conf *c, const char *const *literals, size_t n_literals, struct err *err)
{
	struct rules *r = xnew(struct rules);

	r->maps = maps_new();
	r->literals = literals;
	r->n_literals = n_literals;
	if (global_conf_read(&r->global, c, &r->arena, err) < 0 ||
	    resolve_conf_read(&r->resolve, c, &r->arena, err) < 0 ||
	    local_conf_read(&r->local, c, &r->arena, err) < 0 || read_domains(r, err) < 0 ||
	    maps_collect(r->maps, c, err) < 0) {
		rules_free(r);
		return NULL;
	}
	name_tables(r);
	r->extends_virtual = conf_list_has(&r->local.propagate_unmatched_extensions, SPAN_LIT("virtual"));
	r->extends_alias = conf_list_has(&r->local.propagate_unmatched_extensions, SPAN_LIT("alias"));
	r->transport_has_subdomains = conf_list_has(&r->resolve.parent_domain_matches_subdomains,
						    SPAN_LIT("transport_maps"));
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	maps_free(r->maps);
	arena_fini(&r->arena);
	free(r);
}
