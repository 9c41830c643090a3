/* commands.h: the commands of an IMAP session, one file each; a row of commands.c says where each is legal */
#ifndef IMAPD_COMMANDS_H
#define IMAPD_COMMANDS_H

#include "imapd/session.h"

/* The row of an upper-case verb, NULL for none. Source: commands.c */
const struct cmd *commands_find(struct span verb);

/* Each answers the client itself, tagged, and returns CMD_END only when the session is over. Sources: cmd_*.c by
 * name; those of a pair stand together (cmd_select.c, cmd_close.c, cmd_copy.c, cmd_subscribe.c, cmd_sort.c,
 * cmd_getquota.c: GETQUOTA, GETQUOTAROOT, SETQUOTA). */
cmd_fn cmd_append, cmd_capability, cmd_check, cmd_close, cmd_compress, cmd_copy, cmd_create, cmd_delete, cmd_enable,
	cmd_examine, cmd_expunge, cmd_fetch, cmd_getquota, cmd_getquotaroot, cmd_id, cmd_idle, cmd_list, cmd_logout, cmd_lsub,
	cmd_move, cmd_namespace, cmd_noop, cmd_rename, cmd_search, cmd_select, cmd_setquota, cmd_sort, cmd_status, cmd_store,
	cmd_subscribe, cmd_thread, cmd_unselect, cmd_unsubscribe;

/* The rest of an IDLE that began in another process; c has its tag. Source: cmd_idle.c */
enum cmd_rc cmd_idle_resume(struct session *s, struct command *c);

#endif
