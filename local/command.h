/* command.h: runs "|command" with a letter on its standard input, as the user whose command it is */
#ifndef LOCAL_COMMAND_H
#define LOCAL_COMMAND_H

#include "local/letter.h"
#include "local/settings.h"

/* Who runs it. Strings outlive the call. */
struct command_user {
	const char *name, *home, *shell;
};

/* The one job of an exec helper: takes it from the channel on fd (blocking use), runs the command, answers. The caller
 * is the user already. Blocks until the command ends or command_time_limit has passed. Source: command.c */
void command_run(const struct settings *s, const struct command_user *u, int fd);

/* Environment of the command as "NAME=value", NULL at the end, in the arena. Bytes that command_expansion_filter does
 * not have are "_" in all that came with the letter. Source: command_env.c */
char **command_env(const struct settings *s, const struct command_user *u, const struct letter *l,
		   const struct child_rcpt *r, struct arena *a);

/* The command as argv: its words, or a shell and the text where the text has anything that only a shell
 * understands. Nothing is ever put into the text. Source: command_env.c */
char **command_argv(const struct settings *s, struct span text, struct arena *a);

/* What an exit status (as from waitpid) means: fills status, dsn and text; output is what the command wrote.
 * Source: command_env.c */
void command_verdict(struct child_result *res, int wait_status, struct span command, struct span output,
		     struct arena *a);

#endif
