/* commands.h: the subcommands of surat(1), one file each; surat.c holds the table */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "conf/conf.h"

/* What main gives to every subcommand. -c DIR is taken out of the arguments before it runs. */
struct tool {
	const char *config_dir;         /* -c, else MAIL_CONFIG, else /etc/surat */
	FILE *out;                      /* stdout and stderr; tests read them */
	FILE *err;
	bool is_quiet;                  /* says nothing of what went well, for sendmail -q */
};

enum tool_status { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

/* argv[0] is the subcommand's name. Return an enum tool_status. May block. Sources: cmd_NAME.c */
int cmd_check(struct tool *t, int argc, char **argv);
int cmd_config(struct tool *t, int argc, char **argv);
int cmd_map(struct tool *t, int argc, char **argv);
int cmd_user(struct tool *t, int argc, char **argv);
int cmd_newaliases(struct tool *t, int argc, char **argv);    /* Source: cmd_map.c */
int cmd_queue(struct tool *t, int argc, char **argv);
int cmd_start(struct tool *t, int argc, char **argv);
int cmd_stop(struct tool *t, int argc, char **argv);
int cmd_reload(struct tool *t, int argc, char **argv);        /* Source: cmd_stop.c */
int cmd_status(struct tool *t, int argc, char **argv);
int cmd_who(struct tool *t, int argc, char **argv);
int cmd_kick(struct tool *t, int argc, char **argv);          /* Source: cmd_who.c */
int cmd_index(struct tool *t, int argc, char **argv);
int cmd_log(struct tool *t, int argc, char **argv);
int cmd_setup(struct tool *t, int argc, char **argv);

struct tool_command {
	const char *name;
	int (*run)(struct tool *t, int argc, char **argv);
	const char *help;
};

/* Takes "-c DIR" or "-cDIR" in front of the first "--" out of argv, finds argv[1] among the subcommands and runs it; an
 * unknown one names the nearest. Source: tool.c */
int tool_run(struct tool *t, const struct tool_command *table, size_t n, int argc, char **argv);

/* Prints a message behind "surat NAME: " to t->err; returns TOOL_FAILED. Source: tool.c */
int tool_fail(struct tool *t, const char *name, const char *fmt, ...) PRINTF(3, 4);

/* Prints j with a line end to t->out and gives it back; a string for it, "?" for bytes that are no UTF-8. Source:
 * tool.c */
void tool_json(struct tool *t, json_t *j);
json_t *tool_json_text(struct span s);

/* Loads main.cf for a command that needs its values: wrong ones are printed as warnings, and those that could be read
 * serve; -1 only when there is no file to read, after a message. c is zeroed before and must be finished in any case.
 * Source: tool.c */
int tool_load(struct tool *t, const char *name, struct conf *c) WARN_UNUSED;

/* The same without a word about wrong values: for commands to a running suite, which serve whatever could be read.
 * Source: tool.c */
int tool_load_quiet(struct tool *t, const char *name, struct conf *c) WARN_UNUSED;

#endif
