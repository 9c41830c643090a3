/* msg_master.h: what surat(1) asks of the running master over the named socket RUN_DIRECTORY/master */
#ifndef SVC_MSG_MASTER_H
#define SVC_MSG_MASTER_H

#include "io/ipc.h"
#include "svc/msg_ctl.h"

enum msg_master { MSG_TOOL_REQUEST = 0x800, MSG_TOOL_REPLY, MSG_TOOL_WHO, MSG_TOOL_WHO_REPLY };

/* command: "status", "reload" (answered when the new configuration is in force or was refused), "stop" (answered at
 * once; the end of the channel tells that all processes have ended). */
#define TOOL_REQUEST_FIELDS(S, U64, STR, LIST) STR(S, command)
IPC_STRUCT(tool_request, TOOL_REQUEST_FIELDS)

/* state: "starting", "ready", "draining", "dead". services: names in master.cf, blank-separated. */
#define TOOL_PROCESS_FIELDS(S, U64, STR, LIST)                                                                   \
	STR(S, name) U64(S, worker) U64(S, pid) STR(S, user) STR(S, services) STR(S, state) U64(S, sessions)      \
	U64(S, restarts) U64(S, uptime_ms)
IPC_STRUCT(tool_process, TOOL_PROCESS_FIELDS)

#define TOOL_REPLY_FIELDS(S, U64, STR, LIST)                                                                     \
	U64(S, is_ok) STR(S, text) U64(S, pid) U64(S, instance) U64(S, generation) U64(S, uptime_ms)              \
	STR(S, config_directory) LIST(S, processes, tool_process)
IPC_STRUCT(tool_reply, TOOL_REPLY_FIELDS)

/* Sessions of a program (imapd, pop3d), a page at a time: ctl_who goes on to it and its answer comes back. is_ok 0:
 * text says why. A program that does not run has none. */
#define TOOL_WHO_FIELDS(S, U64, STR, LIST) STR(S, program) U64(S, after) U64(S, is_kick) STR(S, match)
IPC_STRUCT(tool_who, TOOL_WHO_FIELDS)
#define TOOL_WHO_REPLY_FIELDS(S, U64, STR, LIST)                                                                 \
	U64(S, is_ok) STR(S, text) U64(S, has_more) LIST(S, sessions, ctl_session)
IPC_STRUCT(tool_who_reply, TOOL_WHO_REPLY_FIELDS)

#endif
