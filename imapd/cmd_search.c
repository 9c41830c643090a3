#include "imapd/commands.h"
#include "imapd/search.h"

enum cmd_rc cmd_search(struct session *s, struct command *c)
{
	struct imap_search req;
	struct err err = ERR_INIT;
	uint32_t *hits;
	size_t n;
	int rc;

	if (!search_answer_parse(s, c, IMAP_SEARCH_SEARCH, &req, &rc))
		return rc;
	if (search_run(s, &req, &hits, &n, &err) < 0) {
		/* a search that could not be done leaves nothing behind "$" (RFC 5182 section 2.1) */
		if (req.returns & IMAP_SEARCH_SAVE && err.kind != ERR_PROTO)
			session_save(s, NULL, 0);
		return session_fail(s, c, NULL, &err);
	}
	return search_answer(s, c, &req, IMAP_SEARCH_SEARCH, hits, n);
}
