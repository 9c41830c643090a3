/* users_map.h: the table type users: that answers from the user store */
#ifndef STORE_USERS_MAP_H
#define STORE_USERS_MAP_H

#include "conf/map.h"

/* "users:DIR" or "users:DIR:FIELD" (virtual_uid_maps = users:$data_directory:uid): key user@domain in any case,
 * value by FIELD: mailbox (default; the Maildir's absolute path with a trailing slash), uid, gid, home, name, quota.
 * A field that the account has not is MAP_NONE. Register with map_register(&users_map_type) in daemons that read
 * tables. Source: users_map.c */
extern const struct map_type users_map_type;

#endif
