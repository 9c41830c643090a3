/* settings.h: what auth, its workers and "surat user" need of main.cf, read once */
#ifndef AUTH_SETTINGS_H
#define AUTH_SETTINGS_H

#include "conf/conf.h"
#include "conf/params.h"
#include "store/account.h"

/* Caller's memory. */
struct settings {
	struct arena arena;
	struct auth_conf auth;
	struct global_conf global;
	struct store_conf store;
	const char *realm;              /* that a bare name gets; "" for none */
	const char *home;               /* template of virtual homes: %d, %n, %u */
	bool has_ids;                   /* who owns virtual mailboxes is known */
	uint32_t uid, gid;
};

/* The owner of virtual mailboxes where nothing else is set. */
#define SETTINGS_MAIL_USER "_surat-vmail"

/* Reads and checks; names of users and groups are looked up. Owner of virtual mailboxes: mail_uid and mail_gid, else
 * "static:" in virtual_uid_maps and virtual_gid_maps, else SETTINGS_MAIL_USER if the suite runs as root and there is
 * one, else who runs the suite. -1 ERR_CONF. Blocks on NSS. Source: settings.c */
int settings_read(struct settings *out_r, const struct conf *c, bool is_root, struct err *err) WARN_UNUSED;
void settings_fini(struct settings *s);

/* Fills uid, gid and home of a virtual account where they are unset. -1 ERR_CONF when nothing tells the uid.
 * Strings live in arena. Source: settings.c */
int settings_complete(const struct settings *s, struct account *a, struct arena *arena, struct err *err) WARN_UNUSED;

/* May a mailbox belong to this uid and gid? root never, the owner of virtual mailboxes always, others as
 * first_valid_uid, last_valid_uid and the same of gid say. Source: settings.c */
bool settings_allow_ids(const struct settings *s, uint32_t uid, uint32_t gid);

#endif
