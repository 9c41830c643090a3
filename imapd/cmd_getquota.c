#include <inttypes.h>

#include "imapd/commands.h"

#define ROOT "User quota"               /* all folders of the user; Dovecot's usual name for it */

static bool has_quota(const struct session *s)
{
	return s->store.quota.bytes || s->store.quota.count;
}

/* RFC 9208 section 5: STORAGE counts units of 1024 octets, MESSAGE messages; what has no limit is not told. */
static int tell_quota(struct session *s, struct err *err)
{
	const struct quota_limit *limit = &s->store.quota;
	struct quota_use use;
	int rc;

	if (quota_read(&s->store.root, limit, &use, err) < 0)
		return -1;
	rc = session_putf(s, "* QUOTA \"" ROOT "\" (");
	if (limit->bytes)
		rc |= session_putf(s, "STORAGE %" PRIu64 " %" PRIu64, (use.bytes + 1023) / 1024, limit->bytes / 1024);
	if (limit->count)
		rc |= session_putf(s, "%sMESSAGE %" PRIu64 " %" PRIu64, limit->bytes ? " " : "", use.count, limit->count);
	return rc | session_putf(s, ")\r\n");
}

enum cmd_rc cmd_getquota(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span root;

	if (imap_parse_sp(&c->args, "quota root", &err) < 0 || imap_parse_astring(&c->args, "quota root", &root, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (!span_eqz(root, ROOT) || !has_quota(s))
		return session_no(s, c, "[NONEXISTENT] There is no such quota root");
	if (tell_quota(s, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Getquota completed.");
}

enum cmd_rc cmd_getquotaroot(struct session *s, struct command *c)
{
	struct str out = STR_INIT(SIZE_MAX / 2);
	struct err err = ERR_INIT;
	struct span name, folder;
	int rc;

	if (imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0 || session_folder_in(s, name, &folder, &err) < 0)
		return session_fail(s, c, NULL, &err);
	rc = session_folder_out(s, &out, folder);
	if (rc == 0)
		rc = session_putf(s, "* QUOTAROOT %s%s\r\n", out.p, has_quota(s) ? " \"" ROOT "\"" : "");
	str_fini(&out);
	if (rc < 0)
		return CMD_END;
	if (has_quota(s) && tell_quota(s, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Getquotaroot completed.");
}

/* Limits are the administrator's (RFC 9208 section 4.1.2). */
enum cmd_rc cmd_setquota(struct session *s, struct command *c)
{
	return session_no(s, c, "[NOPERM] Quota is set by the administrator");
}
