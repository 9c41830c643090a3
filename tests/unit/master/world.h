/* world.h: a configuration in a temporary folder, for tests of master's files */
#ifndef TESTS_MASTER_WORLD_H
#define TESTS_MASTER_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

struct world {
	char dir[64];
	struct config *config;
	struct conf_errors errors;
};

static inline void world_put(const struct world *w, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* main: lines behind the ones every test needs. */
static inline void world_make(struct world *w, const char *main, const char *master)
{
	char text[4096];

	if (!*w->dir) {
		snprintf(w->dir, sizeof(w->dir), "/tmp/surat-unit-XXXXXX");
		assert_non_null(mkdtemp(w->dir));
	}
	snprintf(text, sizeof(text), "myhostname = mail.example.com\nrun_directory = %s\nalias_maps =\n%s", w->dir,
		 main);
	world_put(w, "main.cf", text);
	world_put(w, "master.cf", master);
	config_free(&w->config);
	w->config = config_load(w->dir, 1, &w->errors);
}

static inline void world_end(struct world *w)
{
	static const char *const names[] = { "main.cf", "master.cf", "cert", "key", "both", "sock" };
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		unlink(path);
	}
	rmdir(w->dir);
	config_free(&w->config);
	conf_errors_fini(&w->errors);
}

#endif
