/* surat(1): one program for everything a postmaster does. */
#include <stdlib.h>

#include "base/attr.h"
#include "base/log.h"
#include "conf/map.h"
#include "store/users_map.h"
#include "tools/commands.h"

static const struct tool_command commands[] = {
	{ "start", cmd_start, "start the suite; -f stays in the foreground" },
	{ "stop", cmd_stop, "let sessions end, then stop" },
	{ "reload", cmd_reload, "use the changed configuration, or name what is wrong with it" },
	{ "status", cmd_status, "show every process; -j as JSON" },
	{ "who", cmd_who, "show the sessions of IMAP and POP3; -j as JSON" },
	{ "kick", cmd_kick, "end sessions of a user, or one by its id" },
	{ "log", cmd_log, "show the log; -f follows it" },
	{ "setup", cmd_setup, "add the users that the daemons run as" },
	{ "check", cmd_check, "name every error of the configuration at once" },
	{ "config", cmd_config, "show and edit parameters, as postconf does" },
	{ "map", cmd_map, "build and query tables, as postmap does" },
	{ "user", cmd_user, "add, change, list and import mail accounts" },
	{ "index", cmd_index, "bring a user's index up to date; --check, --rebuild" },
	{ "newaliases", cmd_newaliases, "build the tables of alias_database" },
	{ "queue", cmd_queue, "list, show, retry, hold, release and delete messages" },
};

int main(int argc, char **argv)
{
	const char *env = getenv("MAIL_CONFIG");
	struct tool t = { .config_dir = env && *env ? env : "/etc/surat", .out = stdout, .err = stderr };

	log_set_tag("surat");
	map_register(&users_map_type);
	return tool_run(&t, commands, ARRAY_LEN(commands), argc, argv);
}
