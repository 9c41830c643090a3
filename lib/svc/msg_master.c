#include "svc/msg_master.h"

IPC_DESC(tool_request, TOOL_REQUEST_FIELDS, MSG_TOOL_REQUEST)
IPC_DESC(tool_process, TOOL_PROCESS_FIELDS, 0)
IPC_DESC(tool_reply, TOOL_REPLY_FIELDS, MSG_TOOL_REPLY)
