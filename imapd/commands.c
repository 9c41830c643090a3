#include "imapd/commands.h"

#define ANY (SESSION_AUTHENTICATED | SESSION_SELECTED)
#define SEL SESSION_SELECTED

static const struct cmd table[] = {
	{ "APPEND", cmd_append, ANY, CMD_LITERAL },
	{ "CAPABILITY", cmd_capability, ANY, 0 },
	{ "CHECK", cmd_check, SEL, 0 },
	{ "CLOSE", cmd_close, SEL, CMD_NO_SYNC },
	{ "COMPRESS", cmd_compress, ANY, CMD_NO_SYNC },
	{ "COPY", cmd_copy, SEL, CMD_UID },
	{ "CREATE", cmd_create, ANY, 0 },
	{ "DELETE", cmd_delete, ANY, 0 },
	{ "ENABLE", cmd_enable, ANY, 0 },
	{ "EXAMINE", cmd_examine, ANY, CMD_NO_SYNC },
	{ "EXPUNGE", cmd_expunge, SEL, CMD_UID | CMD_NO_SYNC },
	{ "FETCH", cmd_fetch, SEL, CMD_UID | CMD_NO_EXPUNGE },
	{ "GETQUOTA", cmd_getquota, ANY, 0 },
	{ "GETQUOTAROOT", cmd_getquotaroot, ANY, 0 },
	{ "ID", cmd_id, ANY, 0 },
	{ "IDLE", cmd_idle, ANY, 0 },
	{ "LIST", cmd_list, ANY, 0 },
	{ "LOGOUT", cmd_logout, ANY, CMD_NO_SYNC },
	{ "LSUB", cmd_lsub, ANY, 0 },
	{ "MOVE", cmd_move, SEL, CMD_UID | CMD_NO_SYNC },
	{ "NAMESPACE", cmd_namespace, ANY, 0 },
	{ "NOOP", cmd_noop, ANY, 0 },
	{ "RENAME", cmd_rename, ANY, 0 },
	{ "SEARCH", cmd_search, SEL, CMD_UID | CMD_NO_EXPUNGE },
	{ "SELECT", cmd_select, ANY, CMD_NO_SYNC },
	{ "SETQUOTA", cmd_setquota, ANY, 0 },
	{ "SORT", cmd_sort, SEL, CMD_UID | CMD_NO_EXPUNGE },
	{ "STATUS", cmd_status, ANY, 0 },
	{ "STORE", cmd_store, SEL, CMD_UID | CMD_NO_EXPUNGE },
	{ "SUBSCRIBE", cmd_subscribe, ANY, 0 },
	{ "THREAD", cmd_thread, SEL, CMD_UID | CMD_NO_EXPUNGE },
	{ "UNSELECT", cmd_unselect, SEL, CMD_NO_SYNC },
	{ "UNSUBSCRIBE", cmd_unsubscribe, ANY, 0 },
};

const struct cmd *commands_find(struct span verb)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		if (span_eqz(verb, table[i].name))
			return &table[i];
	}
	return NULL;
}
