/* resolve: where does this address go, what does this table say, who is this client?
 *
 * user _surat-resolve; peers smtpd, qmgr (CHAN_RESOLVE); reads the folders of all tables, the configuration, /etc and
 * what name services need; makes sockets for the DNS. libunbound's thread is the only one besides the loop's.
 */
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/log.h"
#include "resolve/service.h"
#include "store/users_map.h"
#include "svc/daemon.h"

struct resolve {
	struct rules *rules;            /* until the service has them */
	struct service *service;
	const char *const *literals;
	size_t n_literals;
	struct sandbox_path *paths;
	size_t n_paths;
};

/* Rows of master.cf may name tables of their own ("-o smtpd_sender_login_maps=..."). */
static int collect_services(struct rules *r, struct daemon *d, struct err *err)
{
	const struct daemon_service *s;
	int rc = 0;

	for (s = d->services; rc == 0 && s; s = s->next) {
		struct conf layer;

		rc = daemon_overlay(d, &layer, s->overrides, err);
		if (rc == 0)
			rc = maps_collect(r->maps, &layer, err);
		conf_fini(&layer);
	}
	return rc;
}

static struct rules *read_rules(struct daemon *d, struct err *err)
{
	const struct resolve *s = d->state;
	struct rules *r = rules_new(d->conf, s->literals, s->n_literals, err);

	if (r && collect_services(r, d, err) < 0) {
		rules_free(r);
		r = NULL;
	}
	return r;
}

static void allow_paths(struct daemon *d, struct resolve *s)
{
	const char *const fixed[] = { "/etc", "/usr", "/lib", "/lib64", "/run", "/var/lib/extrausers",
				      d->config_directory };
	struct sandbox_path *tables;
	size_t i, n;

	maps_paths(s->rules->maps, &d->arena, &tables, &n);
	s->paths = arena_alloc(&d->arena, (n + ARRAY_LEN(fixed)) * sizeof(*s->paths));
	for (i = 0; i < ARRAY_LEN(fixed); i++)
		s->paths[s->n_paths++] = (struct sandbox_path){ fixed[i], SB_READ };
	for (i = 0; i < n; i++)
		s->paths[s->n_paths++] = tables[i];
	d->sandbox.paths = s->paths;
	d->sandbox.n_paths = s->n_paths;
}

/* The modules of name services are loaded at their first use, which must be before the sandbox. */
static void load_early(void)
{
	struct addrinfo *list;

	(void)!getpwnam("root");
	if (getaddrinfo("localhost", NULL, NULL, &list) == 0)
		freeaddrinfo(list);
}

static int init(struct daemon *d, struct err *err)
{
	struct resolve *s = d->state;

	map_register(&users_map_type);
	load_early();
	if (rules_literals(d->conf, &d->arena, &s->literals, &s->n_literals, err) < 0)
		return -1;
	s->rules = read_rules(d, err);
	if (!s->rules)
		return -1;
	d->sandbox.may = SB_OPEN | SB_SOCKET | SB_UNIX | SB_THREAD;
	allow_paths(d, s);
	return 0;
}

static int open_dns(struct daemon *d, const struct rules *r, struct dns **dns_r, struct err *err)
{
	struct dns_options opt = { &r->resolve.resolve_dns_server, "/etc/hosts", r->resolve.dns_timeout_ms,
				   (size_t)r->resolve.map_cache_limit };

	return dns_open(dns_r, &d->loop, &opt, err);
}

static int start(struct daemon *d, struct err *err)
{
	struct resolve *s = d->state;
	struct dns *dns;

	if (open_dns(d, s->rules, &dns, err) < 0)
		return -1;
	maps_open(s->rules->maps);
	s->service = service_new(&d->loop, s->rules, dns);
	s->rules = NULL;
	return 0;
}

static void channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	struct resolve *s = d->state;

	if (kind == CHAN_RESOLVE && is_server)
		service_attach(s->service, peer, fd);
}

static bool may_read(const struct resolve *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->n_paths; i++) {
		size_t n = strlen(s->paths[i].path);

		if (strncmp(path, s->paths[i].path, n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

/* What the sandbox shut out at the start stays shut. */
static int check_paths(const struct daemon *d, const struct rules *r, struct err *err)
{
	struct sandbox_path *paths;
	struct arena a = { 0 };
	size_t i, n;
	int rc = 0;

	maps_paths(r->maps, &a, &paths, &n);
	for (i = 0; rc == 0 && r->global.sandbox && i < n; i++) {
		if (!may_read(d->state, paths[i].path))
			rc = err_set(err, ERR_CONF, "tables in %s: this process may not read that folder since its "
				     "start; another one takes its place", paths[i].path);
	}
	arena_fini(&a);
	return rc;
}

static int reload(struct daemon *d, struct err *err)
{
	struct resolve *s = d->state;
	struct rules *r = read_rules(d, err);
	struct dns *dns;

	if (!r)
		return -1;
	if (check_paths(d, r, err) < 0) {
		log_warn("%s", err->msg);
		exit(EXIT_SUCCESS);     /* master starts another one, which may */
	}
	if (open_dns(d, r, &dns, err) < 0) {
		rules_free(r);
		return -1;
	}
	maps_open(r->maps);
	service_change(s->service, r, dns);
	return 0;
}

static const struct daemon_ops ops = {
	.name = "resolve",
	.init = init,
	.start = start,
	.channel = channel,
	.reload = reload,
};

int main(int argc, char **argv)
{
	struct resolve s = { 0 };

	return daemon_main(argc, argv, &ops, &s);
}
