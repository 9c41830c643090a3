/* fuzz_map: the first line is a key, the rest a table's source; the first byte chooses the type. regexp: is left out:
 * what its patterns may cost is the C library's matter, and they come from the postmaster. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Rules that are left out would be told. */
static void quiet(void *arg, enum log_level level, const char *line)
{
}

static void ask(const char *type, int fd, struct span key)
{
	struct str value = STR_INIT(MAP_VALUE_MAX);
	struct map *m = NULL;
	struct err err = ERR_INIT;
	char name[64];

	snprintf(name, sizeof(name), "%s:/proc/self/fd/%d", type, fd);
	if (map_open(&m, name, &err) < 0)
		BUG(!err.msg[0] || m);
	else if (map_get(m, key, &value, &err) == MAP_TEMP)
		BUG(!err_is_temporary(&err));
	map_close(&m);
	str_fini(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const types[] = { "pcre", "cidr", "texthash" };
	struct span key, text;
	int fd;

	if (n < 2 || n > 4096)
		return 0;
	log_set_sink(quiet, NULL);
	span_cut((struct span){ (const char *)data + 1, n - 1 }, '\n', &key, &text);
	fd = memfd_create("table", MFD_CLOEXEC);
	BUG(fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n);
	ask(types[data[0] % ARRAY_LEN(types)], fd, key);
	close(fd);
	return 0;
}
