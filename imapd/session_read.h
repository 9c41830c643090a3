/* session_read.h: what the loop of a session needs to read and run one command */
#ifndef IMAPD_SESSION_READ_H
#define IMAPD_SESSION_READ_H

#include "imapd/session.h"

/* Reads a command, waiting for it, and runs it. CMD_END: the session is over, reason is set. Source:
 * session_read.c */
enum cmd_rc session_command(struct session *s);

#endif
