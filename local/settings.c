#include "local/settings.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "svc/msg_queue.h"

#define INSTANCE_LEN 8

struct settings *settings_new(const struct conf *c, bool is_root, struct err *err)
{
	struct settings *s = xnew(struct settings);

	s->is_root = is_root;
	s->instance = "";
	for (const struct conf *at = c; at; at = at->below)
		s->has_home_mailbox |= htab_get(&at->values, SPAN_LIT("home_mailbox")) != NULL;
	if (global_conf_read(&s->global, c, &s->arena, err) == 0 &&
	    local_conf_read(&s->local, c, &s->arena, err) == 0 && store_conf_read(&s->store, c, &s->arena, err) == 0)
		return s;
	settings_free(s);
	return NULL;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	arena_fini(&s->arena);
	free(s);
}

static int read_instance(const char *path, char id[INSTANCE_LEN + 1])
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, id, INSTANCE_LEN);

	if (fd >= 0)
		close(fd);
	id[INSTANCE_LEN] = '\0';
	return n == INSTANCE_LEN && strspn(id, "0123456789abcdef") == INSTANCE_LEN ? 0 : -1;
}

int settings_instance(struct settings *s, struct err *err)
{
	const char *path = arena_printf(&s->arena, "%s/local.instance", s->global.data_directory);
	const char *tmp = arena_printf(&s->arena, "%s.tmp", path);
	char *id = arena_alloc(&s->arena, INSTANCE_LEN + 1);
	uint32_t rnd;
	int fd;

	s->instance = id;
	if (read_instance(path, id) == 0)
		return 0;
	random_bytes(&rnd, sizeof(rnd));
	snprintf(id, INSTANCE_LEN + 1, "%08x", rnd);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "cannot create %s", tmp);
	if (write(fd, id, INSTANCE_LEN) != INSTANCE_LEN || fsync(fd) < 0 || rename(tmp, path) < 0) {
		err_sys(err, "cannot write %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

bool settings_may_name(const struct settings *s, struct span source, uint64_t kind)
{
	return (kind != RCPT_COMMAND || conf_list_has(&s->local.allow_mail_to_commands, source)) &&
	       (kind != RCPT_FILE || conf_list_has(&s->local.allow_mail_to_files, source));
}

enum map_rc settings_lookup(const struct conf_list *maps, struct span key, struct str *value, struct err *err)
{
	enum map_rc rc = MAP_NONE;

	for (size_t i = 0; i < maps->n && rc == MAP_NONE; i++) {
		struct map *m;

		if (map_open(&m, maps->v[i], err) < 0)
			return MAP_TEMP;
		rc = map_get(m, key, value, err);
		map_close(&m);
	}
	return rc;
}
