#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "base/mem.h"
#include "conf/map_types.h"

#define ENTRY_MAX 65536

/* Users and groups as the C library knows them; the value is the line as in /etc/passwd or /etc/group. */
static int unix_open(void **state_r, const char *name, struct err *err)
{
	*state_r = NULL;
	if (strcmp(name, "passwd.byname") != 0 && strcmp(name, "group.byname") != 0)
		return err_set(err, ERR_CONF,
			       "unix:%s is not known (there are unix:passwd.byname and unix:group.byname)", name);
	*state_r = xstrdup(name);
	return 0;
}

static int add_user(const char *name, struct str *value, char *buf, int *found)
{
	struct passwd pw, *result;
	int rc = getpwnam_r(name, &pw, buf, ENTRY_MAX, &result);

	*found = rc == 0 && result;
	return *found ? str_addf(value, "%s:%s:%u:%u:%s:%s:%s", pw.pw_name, "x", pw.pw_uid, pw.pw_gid, pw.pw_gecos,
				 pw.pw_dir, pw.pw_shell) : rc;
}

static int add_group(const char *name, struct str *value, char *buf, int *found)
{
	struct group gr, *result;
	int rc = getgrnam_r(name, &gr, buf, ENTRY_MAX, &result);
	char **member;

	*found = rc == 0 && result;
	if (!*found)
		return rc;
	rc = str_addf(value, "%s:x:%u:", gr.gr_name, gr.gr_gid);
	for (member = gr.gr_mem; rc == 0 && *member; member++)
		rc = str_addf(value, "%s%s", member == gr.gr_mem ? "" : ",", *member);
	return rc;
}

static enum map_rc unix_get(void *state, struct span key, struct str *value, struct err *err)
{
	char *buf, *name;
	int rc, found;

	if (!key.n || span_chr(key, ':') >= 0)
		return MAP_NONE;
	buf = xcalloc(1, ENTRY_MAX);
	name = xstrndup(key.p, key.n);
	if (strcmp(state, "passwd.byname") == 0)
		rc = add_user(name, value, buf, &found);
	else
		rc = add_group(name, value, buf, &found);
	free(name);
	free(buf);
	/* What getpwnam(3) says for "no such entry" on one system or another. */
	if (!found && (rc == 0 || rc == ENOENT || rc == ESRCH || rc == EBADF || rc == EPERM))
		return MAP_NONE;
	if (found && rc == 0)
		return MAP_FOUND;
	errno = found ? EMSGSIZE : rc;
	err_sys(err, "cannot look up '%.*s'", SPAN_ARG(key));
	return MAP_TEMP;
}

static void unix_close(void *state)
{
	free(state);
}

const struct map_type map_unix_type = { "unix", MAP_FOLDS, unix_open, unix_get, unix_close };
