/* master_client.h: questions to the running master over its named socket */
#ifndef TOOLS_MASTER_CLIENT_H
#define TOOLS_MASTER_CLIENT_H

#include "base/arena.h"
#include "io/ipc.h"
#include "svc/msg_master.h"

/* Sends command and returns the answer, in a; NULL with ERR_NONE when no master runs there, else with what is wrong.
 * The channel stays open when keep is not NULL (master_client_wait_end). Blocks up to timeout_ms. Source:
 * master_client.c */
struct tool_reply *master_client_ask(const char *run_directory, const char *command, uint64_t timeout_ms,
				     struct arena *a, struct ipc *keep, struct err *err) WARN_UNUSED;

/* Opens a channel to the master for questions of its own; the caller closes it. -1 with ERR_NONE when no master runs
 * there. Source: master_client.c */
int master_client_open(struct ipc *c, const char *run_directory, struct err *err) WARN_UNUSED;

/* Waits for the end of the master behind c; 0, or -1 when it is still there after timeout_ms. Closes c.
 * Source: master_client.c */
int master_client_wait_end(struct ipc *c, uint64_t timeout_ms) WARN_UNUSED;

#endif
