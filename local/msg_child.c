#include "local/msg_child.h"

IPC_DESC(child_rcpt, CHILD_RCPT_FIELDS, 0)
IPC_DESC(child_job, CHILD_JOB_FIELDS, MSG_CHILD_JOB)
IPC_DESC(child_result, CHILD_RESULT_FIELDS, MSG_CHILD_RESULT)
