#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/param.h"
#include "io/write_all.h"
#include "proto/restrict.h"

#define SNAPSHOT_MAX (8u << 20)

int config_seal(const char *name, struct span bytes, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(err, "memfd_create");
	if (write_all(fd, bytes) < 0) {
		err_sys(err, "memory for %s", name);
		close(fd);
		return -1;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
		err_sys(err, "seal of %s", name);
		close(fd);
		return -1;
	}
	return fd;
}

static int make_snapshot(struct config *c, struct err *err)
{
	struct str text = STR_INIT(SNAPSHOT_MAX);
	int rc;

	if (conf_dump(&c->conf, &text) < 0)
		rc = err_set(err, ERR_CONF, "main.cf is larger than %u bytes", SNAPSHOT_MAX);
	else
		rc = c->snapshot_fd = config_seal("main.cf", str_span(&text), err);
	c->snapshot_size = text.n;
	str_fini(&text);
	return rc < 0 ? -1 : 0;
}

static unsigned count_workers(const struct master_conf *m)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (m->worker_processes)
		return (unsigned)m->worker_processes;
	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

/* The other daemons lie where master does, wherever the suite was installed or unpacked. */
static const char *own_directory(struct arena *a)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	while (n > 1 && path[n - 1] != '/')
		n--;
	return n > 1 ? arena_strndup(a, path, (size_t)n - 1) : "/";
}

static int read_params(struct config *c, struct err *err)
{
	if (master_conf_read(&c->master, &c->conf, &c->arena, err) < 0 ||
	    global_conf_read(&c->global, &c->conf, &c->arena, err) < 0 ||
	    login_conf_read(&c->login, &c->conf, &c->arena, err) < 0)
		return -1;
	c->libexec = *c->master.daemon_directory ? c->master.daemon_directory : own_directory(&c->arena);
	c->n_workers = count_workers(&c->master);
	return make_snapshot(c, err);
}

struct config *config_load(const char *dir, uint64_t generation, struct conf_errors *errors)
{
	struct config *c = xnew(struct config);
	struct err err = ERR_INIT;
	int rc = conf_load(&c->conf, dir, errors);

	arena_init(&c->arena, 0);
	c->generation = generation;
	c->snapshot_fd = -1;
	if (mastercf_load(&c->services, dir, &c->conf, errors) < 0)
		rc = -1;
	/* a worker finds these out only when it already is to serve */
	if (restrict_check_all(&c->conf, &c->services, errors) < 0)
		rc = -1;
	if (rc == 0 && read_params(c, &err) < 0) {
		conf_error(errors, "%s", err.msg);
		rc = -1;
	}
	if (rc < 0)
		config_free(&c);
	return c;
}

void config_free(struct config **c)
{
	if (!*c)
		return;
	mastercf_fini(&(*c)->services);
	conf_fini(&(*c)->conf);
	arena_fini(&(*c)->arena);
	if ((*c)->snapshot_fd >= 0)
		close((*c)->snapshot_fd);
	free(*c);
	*c = NULL;
}

const char *config_binary(const struct config *c, const char *name, struct arena *a)
{
	const char *const places[] = {
		arena_printf(a, "%s/%s", c->libexec, name),
		arena_printf(a, "%s/%s/%s", c->libexec, name, name),    /* a build tree */
		arena_printf(a, "%s/master/%s", c->libexec, name),
	};
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_LEN(places); i++) {
		if (stat(places[i], &st) == 0 && S_ISREG(st.st_mode) && access(places[i], X_OK) == 0)
			return places[i];
	}
	return NULL;
}

void config_warn_restart(const struct config *was, const struct config *now)
{
	size_t i;

	for (i = 0; i < param_count; i++) {
		const struct param *p = &param_table[i];
		const char *a = conf_raw(&was->conf, p->name), *b = conf_raw(&now->conf, p->name);

		if (p->reload == PARAM_RESTART && a && b && strcmp(a, b) != 0)
			log_warn("%s has changed; that takes effect after \"surat stop\" and \"surat start\"", p->name);
	}
}

const char *config_options(const struct mastercf_service *s, struct arena *a)
{
	struct str text = STR_INIT(48u << 10);
	const char *lines;

	(void)!mastercf_add_options(s, &text);
	lines = arena_strndup(a, text.p, text.n);
	str_fini(&text);
	return lines;
}
