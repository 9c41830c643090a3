#include "imapd/cmd_status.h"

#include <inttypes.h>

#include "imapd/commands.h"
#include "proto/imap_list_args.h"

static uint64_t value(const struct mailbox_status *st, enum imap_status_item item)
{
	switch (item) {
	case IMAP_STATUS_MESSAGES:
		return st->n;
	case IMAP_STATUS_RECENT:
		return st->n_recent;
	case IMAP_STATUS_UIDNEXT:
		return st->uid_next;
	case IMAP_STATUS_UIDVALIDITY:
		return st->validity;
	case IMAP_STATUS_UNSEEN:
		return st->n_unseen;
	case IMAP_STATUS_HIGHESTMODSEQ:
		return st->modseq;
	case IMAP_STATUS_SIZE:
		return st->bytes;
	case IMAP_STATUS_DELETED:
		return st->n_deleted;
	}
	return 0;
}

int status_tell(struct session *s, struct span folder, unsigned items, struct err *err)
{
	struct str line = STR_INIT(SIZE_MAX / 2);
	struct mailbox_status st;
	int rc = mailbox_status(&s->store, folder_dir(&s->tick, folder), items & IMAP_STATUS_SIZE ? MAILBOX_SIZES : 0, &st, err);

	if (rc <= 0)
		return rc;
	/* asking for it is a way to switch it on (RFC 7162 section 3.1) */
	if ((items & IMAP_STATUS_HIGHESTMODSEQ) && session_enable_condstore(s) < 0)
		return -1;
	BUG(str_addz(&line, "* STATUS ") < 0 || session_folder_out(s, &line, folder) < 0 || str_addz(&line, " (") < 0);
	for (unsigned item = 1; item <= items; item <<= 1) {
		bool is_first = line.p[line.n - 1] == '(';

		if (items & item)
			BUG(str_addf(&line, "%s%s %" PRIu64, is_first ? "" : " ", imap_list_args_status_name(item),
				     value(&st, item)) < 0);
	}
	rc = session_putf(s, "%s)\r\n", line.p) < 0 ? -1 : 1;
	str_fini(&line);
	return rc;
}

enum cmd_rc cmd_status(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span name, folder;
	unsigned items;
	int rc;

	if (imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, &err) < 0 ||
	    imap_parse_sp(&c->args, "STATUS items", &err) < 0 || imap_list_args_status(&c->args, &items, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0 || session_folder_in(s, name, &folder, &err) < 0)
		return session_fail(s, c, NULL, &err);
	rc = status_tell(s, folder, items, &err);
	if (rc < 0)
		return session_fail(s, c, NULL, &err);
	if (rc == 0)
		return session_no(s, c, "[NONEXISTENT] There is no such folder");
	return session_ok(s, c, "Status completed.");
}
