/* config.h: one configuration as master uses it: main.cf, master.cf, the snapshot for the daemons */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include "conf/mastercf.h"
#include "conf/params.h"

struct config {
	struct arena arena;
	struct conf conf;
	struct mastercf services;
	struct master_conf master;
	struct global_conf global;
	struct login_conf login;
	uint64_t generation;
	int snapshot_fd;                /* sealed memfd with conf_dump's bytes */
	uint64_t snapshot_size;
	const char *libexec;            /* daemon_directory, or where master itself lies */
	unsigned n_workers;
};

/* Reads DIR/main.cf and DIR/master.cf; NULL when there are errors, all of which are in errors. Caller: config_free.
 * Blocks on files. Source: config.c */
struct config *config_load(const char *dir, uint64_t generation, struct conf_errors *errors) WARN_UNUSED;

/* Takes NULL; sets *c to NULL. Source: config.c */
void config_free(struct config **c);

/* Path of a daemon's binary in arena a: LIBEXEC/NAME, or as a build tree has it (NAME/NAME, master/NAME); NULL when there
 * is none. Source: config.c */
const char *config_binary(const struct config *c, const char *name, struct arena *a);

/* Logs which parameters differ between the two but take effect only after a restart. Source: config.c */
void config_warn_restart(const struct config *was, const struct config *now);

/* A sealed memfd with these bytes, or -1. Source: config.c */
int config_seal(const char *name, struct span bytes, struct err *err) WARN_UNUSED;

/* What a row of master.cf sets for itself as lines "name = value", in the arena. What is too long for it listen.c
 * refuses. Source: config.c */
const char *config_options(const struct mastercf_service *s, struct arena *a);

#endif
