/* settings.h: the configuration as local's parent and children see it */
#ifndef LOCAL_SETTINGS_H
#define LOCAL_SETTINGS_H

#include "conf/map.h"
#include "conf/params.h"

/* One snapshot; children keep the one they were forked with. */
struct settings {
	struct arena arena;
	struct global_conf global;
	struct local_conf local;
	struct store_conf store;
	const char *instance;           /* in Maildir base names; the same through restarts */
	bool is_root;                   /* children change their uid */
	bool has_home_mailbox;          /* home_mailbox stands in main.cf: it goes before mail_spool_directory */
};

/* A snapshot of c; the caller frees it with settings_free. NULL with ERR_CONF. Source: settings.c */
struct settings *settings_new(const struct conf *c, bool is_root, struct err *err);

/* Takes NULL. Source: settings.c */
void settings_free(struct settings *s);

/* Reads the instance id kept in data_directory, draws and keeps one when there is none. Blocks. Source: settings.c */
int settings_instance(struct settings *s, struct err *err) WARN_UNUSED;

/* True when a list of that source ("forward", "include") may name a recipient of that kind (enum rcpt_kind):
 * allow_mail_to_commands and allow_mail_to_files. Source: settings.c */
bool settings_may_name(const struct settings *s, struct span source, uint64_t kind);

/* The first of the tables that knows key. Each is opened for the lookup only: this process forks, and no LMDB
 * environment outlives a fork. Blocks on files. Source: settings.c */
enum map_rc settings_lookup(const struct conf_list *maps, struct span key, struct str *value,
			    struct err *err) WARN_UNUSED;

#endif
