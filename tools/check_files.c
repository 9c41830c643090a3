#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/map.h"
#include "conf/param.h"
#include "conf/params.h"
#include "svc/topology.h"
#include "tools/check.h"

/* What a daemon would skip with a warning in the log, when it reads the table. */
struct skipped {
	const char *where;
	struct conf_errors *errors;
};

static void note_skipped(void *arg, enum log_level level, const char *line)
{
	struct skipped *s = arg;

	conf_error(s->errors, "%s: %s", s->where, line + (conf_is_warning(line) ? strlen(CONF_WARNING) : 0));
}

static void check_table(const char *where, const char *type_name, struct htab *seen, struct conf_errors *errors)
{
	struct skipped s = { where, errors };
	struct map *m = NULL;
	struct err err;
	int rc;

	if (htab_put(seen, span_z(type_name), seen))
		return;
	log_set_sink(note_skipped, &s);
	rc = map_open(&m, type_name, &err);
	log_set_sink(NULL, NULL);
	if (rc < 0)
		conf_error(errors, "%s%s: %s", err.kind == ERR_CONF && !strstr(err.msg, "does not exist") ? "" :
			   "warning: ", where, err.msg);
	map_close(&m);
}

/* "hash:/etc/x" within a list of restrictions or domains; "reject_rbl_client x" is none. */
static bool looks_like_table(const char *word)
{
	const char *colon = strchr(word, ':');

	if (!colon || strncmp(word, "passwd-file:", 12) == 0)
		return false;
	return (strchr("/{", colon[1]) || strncmp(word, "static:", 7) == 0 || strncmp(word, "unix:passwd", 11) == 0) &&
	       word[0] != '[' && strncmp(word, "inet:", 5) != 0 && strncmp(word, "unix:/", 6) != 0 && word[0] != '/' &&
	       !strstr(word, "://");
}

/* Lists of domains may be "/file/name". */
static void check_domain_files(const struct conf *c, struct conf_errors *errors)
{
	static const char *const names[] = { "mydestination", "relay_domains", "virtual_alias_domains",
					     "virtual_mailbox_domains" };
	struct arena a = { 0 };
	struct conf_list list;
	struct err err;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (param_read(param_find(names[i]), c, &list, &a, &err) < 0)
			continue;
		for (j = 0; j < list.n; j++)
			if (list.v[j][0] == '/' && access(list.v[j], R_OK) < 0)
				conf_error(errors, "%s: cannot read the domains in %s: %s",
					   check_where(c, names[i], errors), list.v[j], strerror(errno));
	}
	arena_fini(&a);
}

/* Tables of all parameters, or of those only that a row sets. */
static void check_layer(const struct conf *c, const struct mastercf_service *row, struct htab *seen,
			struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct conf_list list;
	const struct param *p;
	struct err err;
	size_t i;

	for (p = param_table; p < param_table + param_count; p++) {
		if (p->type != PARAM_MAPS && p->type != PARAM_LIST)
			continue;
		for (i = 0; row && i < row->n_overrides && strcmp(row->overrides[i].name, p->name) != 0; i++)
			;
		if ((row && i == row->n_overrides) || param_read(p, c, &list, &a, &err) < 0)
			continue;
		for (i = 0; i < list.n; i++)
			if (p->type == PARAM_MAPS || looks_like_table(list.v[i]))
				check_table(check_where(c, p->name, errors), list.v[i], seen, errors);
	}
	arena_fini(&a);
}

void check_tables(const struct conf *c, const struct mastercf *m, struct conf_errors *errors)
{
	struct htab seen = { 0 };
	struct conf layer;
	size_t i;

	check_layer(c, NULL, &seen, errors);
	for (i = 0; i < m->n; i++) {
		check_overlay(&layer, c, m, &m->v[i]);
		check_layer(&layer, &m->v[i], &seen, errors);
		conf_fini(&layer);
	}
	check_domain_files(c, errors);
	htab_fini(&seen);
}

static void check_login_cert(const struct conf *c, const struct mastercf_service *s, const char *file,
			     struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct login_conf login;
	struct err err;

	if (login_conf_read(&login, c, &a, &err) == 0) {
		if (!*login.ssl_cert && (login.login_tls_wrappermode || span_ends_nocase(span_z(s->name), "s")))
			conf_error(errors, "%s:%u: service '%s' begins with TLS, but ssl_cert is not set", file,
				   s->line, s->name);
	}
	arena_fini(&a);
}

static void check_smtpd_cert(const struct conf *c, const struct mastercf_service *s, const char *file,
			     struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct smtpd_conf smtpd;
	struct err err;

	if (smtpd_conf_read(&smtpd, c, &a, &err) == 0) {
		if (!*smtpd.smtpd_tls_cert_file && !smtpd.smtpd_tls_chain_files.n &&
		    (smtpd.smtpd_tls_wrappermode ||
		     smtpd.smtpd_tls_security_level == SMTPD_TLS_SECURITY_LEVEL_ENCRYPT))
			conf_error(errors, "%s:%u: service '%s' needs TLS, but smtpd_tls_cert_file is not set", file,
				   s->line, s->name);
	}
	arena_fini(&a);
}

void check_tls(const struct conf *c, const struct mastercf *m, struct conf_errors *errors)
{
	struct conf layer;
	size_t i;

	for (i = 0; i < m->n; i++) {
		check_overlay(&layer, c, m, &m->v[i]);
		if (strcmp(m->v[i].command, "smtpd") == 0)
			check_smtpd_cert(&layer, &m->v[i], m->file, errors);
		else if (strcmp(m->v[i].command, "login") == 0)
			check_login_cert(&layer, &m->v[i], m->file, errors);
		conf_fini(&layer);
	}
}

/* Users matter only where the suite can become them. */
void check_users(const struct conf *c, struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct global_conf g;
	struct err err;
	size_t i;

	if (global_conf_read(&g, c, &a, &err) == 0 && geteuid() == 0) {
		if (!getpwnam(g.default_privs))
			conf_error(errors, "%s: there is no user '%s'", check_where(c, "default_privs", errors),
				   g.default_privs);
		else if (getpwnam(g.default_privs)->pw_uid == 0)
			conf_error(errors, "%s: commands of aliases would run as root",
				   check_where(c, "default_privs", errors));
		for (i = 0; i < topology_n_programs; i++)
			if (topology_programs[i].user && !getpwnam(topology_programs[i].user))
				conf_error(errors, "warning: there is no user '%s': %s cannot start as root",
					   topology_programs[i].user, topology_programs[i].name);
	}
	arena_fini(&a);
}
