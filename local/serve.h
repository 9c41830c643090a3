/* serve.h: the process that is a recipient: takes letters from the parent and puts them into mailboxes, in batches */
#ifndef LOCAL_SERVE_H
#define LOCAL_SERVE_H

#include "local/letter.h"
#include "local/settings.h"

/* Serves the channel on fd (blocking use) until the parent closes it: reads all that is there, then makes it durable
 * with shared syncs and answers. The caller has the user's rights already. Blocks for its whole life. Source:
 * serve.c */
void serve_run(const struct settings *s, int fd);

/* Fills result for a failure: BOUNCED only for ERR_PERM and ERR_PROTO. The text lives as long as err. Source:
 * serve.c */
void serve_failure(struct child_result *res, const struct err *err);

#endif
