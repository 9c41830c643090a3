#include <inttypes.h>

#include "imapd/commands.h"
#include "proto/imap_quote.h"

#define ROOT "User quota"               /* all folders of the user; Dovecot's usual name for it */

/* RFC 9208 section 5.1: STORAGE counts units of 1024 octets. Where nothing is limited the root has no resource. */
static int tell_quota(struct session *s, struct err *err)
{
	struct quota_use use;

	if (!s->store.quota.bytes)
		return session_put(s, SPAN_LIT("* QUOTA \"" ROOT "\" ()\r\n"));
	if (quota_read(&s->store.root, &s->store.quota, &use, err) < 0)
		return -1;
	return session_putf(s, "* QUOTA \"" ROOT "\" (STORAGE %" PRIu64 " %" PRIu64 ")\r\n", (use.bytes + 1023) / 1024,
			    s->store.quota.bytes / 1024);
}

enum cmd_rc cmd_getquota(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span root;

	if (imap_parse_sp(&c->args, "quota root", &err) < 0 || imap_parse_astring(&c->args, "quota root", &root, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (!span_eqz(root, ROOT))
		return session_no(s, c, "[NONEXISTENT] There is no such quota root");
	if (tell_quota(s, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Getquota completed.");
}

/* The name as LIST has it; one that no folder can have is said as the client did. */
static int add_name(struct session *s, struct str *out, struct span name)
{
	struct err err = ERR_INIT;
	struct span folder;

	return session_folder_in(s, name, &folder, &err) == 0 ? session_folder_out(s, out, folder)
							      : imap_quote_string(out, name);
}

/* A mailbox need not exist (RFC 9208 section 4.1.2), and whatever its name would be, it lies under the one root. */
enum cmd_rc cmd_getquotaroot(struct session *s, struct command *c)
{
	struct str out = STR_INIT(SIZE_MAX / 2);
	struct err err = ERR_INIT;
	struct span name;
	int rc;

	if (imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	rc = add_name(s, &out, name);
	if (rc == 0)
		rc = session_putf(s, "* QUOTAROOT %s \"" ROOT "\"\r\n", out.p);
	str_fini(&out);
	if (rc < 0)
		return CMD_END;
	if (tell_quota(s, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Getquotaroot completed.");
}

/* Limits are the administrator's (RFC 9208 section 4.1.2). */
enum cmd_rc cmd_setquota(struct session *s, struct command *c)
{
	return session_no(s, c, "[NOPERM] Quota is set by the administrator");
}
