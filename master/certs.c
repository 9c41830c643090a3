#include "certs.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/source.h"

#define PEM_MAX (1u << 20)

/* Dovecot writes "<" in front of a path. */
static const char *plain_path(const char *z)
{
	while (*z == '<' || *z == ' ' || *z == '\t')
		z++;
	return z;
}

static int read_files(struct cert *c, struct err *err)
{
	struct str pem = STR_INIT(PEM_MAX);
	size_t i;
	int rc = 0;

	for (i = 0; i < c->n_files && rc == 0; i++) {
		struct cert_file *f = &c->files[i];

		if (stat(f->path, &f->st) < 0)
			rc = err_sys(err, "%s", f->path);
		else if (source_slurp(&pem, f->path, err) < 0 || str_addc(&pem, '\n') < 0)
			rc = -1;
	}
	if (rc == 0) {
		int fd = config_seal("certificate", str_span(&pem), err);

		rc = fd < 0 ? -1 : 0;
		if (fd >= 0) {
			if (c->before_fd >= 0)
				close(c->before_fd);
			c->before_fd = c->fd;
			c->before_size = c->size;
			c->fd = fd;
			c->size = pem.n;
		}
	}
	explicit_bzero(pem.p, pem.n);
	str_fini(&pem);
	return rc;
}

static void add(struct certs *cs, const char *program, const char *name, const char *service, const char **paths,
		size_t n, struct conf_errors *errors)
{
	struct cert *c;
	struct err err = ERR_INIT;
	size_t i;

	cs->v = xrealloc(cs->v, (cs->n + 1) * sizeof(*cs->v));
	c = &cs->v[cs->n++];
	*c = (struct cert){ .program = program, .name = name, .service = arena_strdup(&cs->arena, service), .overrides = "",
			    .fd = -1, .before_fd = -1 };
	c->files = arena_alloc(&cs->arena, n * sizeof(*c->files));
	for (i = 0; i < n; i++) {
		const char *path = plain_path(paths[i]);

		/* a key in the same file as its certificate is sent once */
		if (c->n_files == 0 || strcmp(path, c->files[c->n_files - 1].path) != 0)
			c->files[c->n_files++].path = arena_strdup(&cs->arena, path);
	}
	if (read_files(c, &err) < 0)
		conf_error(errors, "%s: %s", name, err.msg);
}

static void add_pair(struct certs *cs, const char *program, const char *name, const char *service, const char *cert,
		     const char *key, struct conf_errors *errors)
{
	const char *paths[2] = { cert, key };

	if (*plain_path(cert) && strcmp(cert, "none") != 0)
		add(cs, program, name, service, paths, *plain_path(key) ? 2 : 1, errors);
}

static void add_smtpd(struct certs *cs, const struct smtpd_conf *s, const char *service, struct conf_errors *errors)
{
	if (s->smtpd_tls_chain_files.n)
		add(cs, "smtpd", "smtpd_tls_cert_file", service, s->smtpd_tls_chain_files.v, s->smtpd_tls_chain_files.n,
		    errors);
	else
		add_pair(cs, "smtpd", "smtpd_tls_cert_file", service, s->smtpd_tls_cert_file, s->smtpd_tls_key_file,
			 errors);
	add_pair(cs, "smtpd", "smtpd_tls_CAfile", service, s->smtpd_tls_CAfile, "", errors);
}

/* The names that decide about files, and those that login needs when it makes a context from them. */
static bool overrides_certs(const struct mastercf_service *s)
{
	static const char *const prefixes[] = { "smtpd_tls_c", "smtpd_tls_key", "smtpd_tls_CA", "ssl_" };
	size_t i, k;

	for (i = 0; i < s->n_overrides; i++) {
		for (k = 0; k < ARRAY_LEN(prefixes); k++) {
			if (strncmp(s->overrides[i].name, prefixes[k], strlen(prefixes[k])) == 0)
				return true;
		}
	}
	return false;
}

static void add_service(struct certs *cs, const struct config *c, const struct mastercf_service *s,
			struct conf_errors *errors)
{
	struct conf layer;
	struct smtpd_conf smtpd;
	struct login_conf login;
	struct err err = ERR_INIT;
	size_t before = cs->n;

	if (mastercf_overlay(&layer, &c->conf, &c->services, s, &err) < 0)
		conf_error(errors, "%s", err.msg);
	else if (strcmp(s->command, "smtpd") == 0 && smtpd_conf_read(&smtpd, &layer, &cs->arena, &err) == 0)
		add_smtpd(cs, &smtpd, s->name, errors);
	else if (strcmp(s->command, "login") == 0 && login_conf_read(&login, &layer, &cs->arena, &err) == 0)
		add_pair(cs, "login", "ssl_cert", s->name, login.ssl_cert, login.ssl_key, errors);
	else if (err.kind != ERR_NONE)
		conf_error(errors, "%s", err.msg);
	for (; before < cs->n; before++)
		cs->v[before].overrides = config_options(s, &cs->arena);
	conf_fini(&layer);
}

int certs_load(struct certs *cs, const struct config *c, struct conf_errors *errors)
{
	struct smtpd_conf smtpd;
	struct err err = ERR_INIT;
	size_t i, before = errors->n;

	if (smtpd_conf_read(&smtpd, &c->conf, &cs->arena, &err) < 0)
		conf_error(errors, "%s", err.msg);
	else
		add_smtpd(cs, &smtpd, "", errors);
	add_pair(cs, "login", "ssl_cert", "", c->login.ssl_cert, c->login.ssl_key, errors);
	for (i = 0; i < c->services.n; i++) {
		if (overrides_certs(&c->services.v[i]))
			add_service(cs, c, &c->services.v[i], errors);
	}
	return errors->n > before ? -1 : 0;
}

void certs_fini(struct certs *cs)
{
	size_t i;

	for (i = 0; i < cs->n; i++) {
		if (cs->v[i].fd >= 0)
			close(cs->v[i].fd);
		if (cs->v[i].before_fd >= 0)
			close(cs->v[i].before_fd);
	}
	free(cs->v);
	arena_fini(&cs->arena);
	*cs = (struct certs){ 0 };
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool look(struct cert *c)
{
	bool changed = false;
	size_t i;

	for (i = 0; i < c->n_files; i++) {
		struct stat st;

		if (stat(c->files[i].path, &st) == 0 && !is_same(&st, &c->files[i].st)) {
			c->files[i].st = st;
			changed = true;
		}
	}
	return changed;
}

/* Certificate and key are replaced one after the other: only when a look finds nothing new is the pair complete. */
void certs_poll(struct certs *cs, void (*changed)(void *arg, const struct cert *c), void *arg)
{
	size_t i;

	for (i = 0; i < cs->n; i++) {
		struct cert *c = &cs->v[i];
		struct err err = ERR_INIT;

		if (look(c)) {
			c->is_changing = true;
		} else if (c->is_changing) {
			c->is_changing = false;
			if (read_files(c, &err) < 0)
				log_warn("%s: %s; the old certificate stays in use", c->name, err.msg);
			else
				changed(arg, c);
		}
	}
}

const struct cert *certs_take_back(struct certs *cs, const char *program, struct span name, struct span service)
{
	size_t i;

	for (i = 0; i < cs->n; i++) {
		struct cert *c = &cs->v[i];

		if (strcmp(c->program, program) != 0 || !span_eqz(name, c->name) || !span_eqz(service, c->service) ||
		    c->before_fd < 0)
			continue;
		close(c->fd);
		c->fd = c->before_fd;
		c->size = c->before_size;
		c->before_fd = -1;
		return c;
	}
	return NULL;
}
