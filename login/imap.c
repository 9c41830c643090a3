/* IMAP before login: RFC 3501 and 9051 section 6.1 and 6.2, 2595 (STARTTLS), 2971 (ID), 4959 (SASL-IR), 5530
 * (codes), 7888. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "login/session.h"
#include "proto/imap_id.h"
#include "proto/imap_parse.h"

#define TEXT_MAX 12800u         /* a SASL line fits */
#define LITERALS_MAX 3072u      /* name and password; with TEXT_MAX within SESSION_IN_MAX */
#define TAG_MAX 200u

struct cmd {
	const char *verb;
	int (*fn)(struct session *s, struct imap_parse *p, struct err *err);
};

static void start_frame(struct session *s)
{
	const struct imap_frame_limits limits = { TEXT_MAX, LITERALS_MAX, LITERALS_MAX };

	imap_frame_init(&s->frame, &limits);
}

/* Answers to a command whose tag cannot be repeated are untagged. */
static void set_tag(struct session *s, struct span tag)
{
	if (tag.n == 0 || tag.n > TAG_MAX)
		tag = SPAN_LIT("*");
	free(s->tag);
	s->tag = xstrndup(tag.p, tag.n);
}

/* Exactly what is true now: RFC 3501 section 6.2.1 has the client ask again after STARTTLS. */
static void add_capabilities(const struct session *s, struct str *out)
{
	struct str mechs = STR_INIT(4096);
	struct span all, one;
	int rc;

	rc = str_addz(out, "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE");
	if (session_offers_tls(s))
		rc |= str_addz(out, " STARTTLS");
	if (!session_may_plaintext(s))
		rc |= str_addz(out, " LOGINDISABLED");
	attempt_mechs(s, &mechs);
	all = str_span(&mechs);
	while (span_word(&all, " ", &one))
		rc |= str_addf(out, " AUTH=%.*s", SPAN_ARG(one));
	BUG(rc < 0);
	str_fini(&mechs);
}

static void greet(struct session *s)
{
	struct str caps = STR_INIT(8192);

	start_frame(s);
	add_capabilities(s, &caps);
	session_put(s, "* OK [CAPABILITY %s] %s\r\n", caps.p, s->svc->conf.login_greeting);
	str_fini(&caps);
}

static void forget(struct session *s)
{
	session_forget(s);
	start_frame(s);
}

/* ---- commands: -1 with what is wrong in the client's words ---- */

static int cmd_capability(struct session *s, struct imap_parse *p, struct err *err)
{
	struct str caps = STR_INIT(8192);

	if (imap_parse_end(p, err) < 0)
		return -1;
	add_capabilities(s, &caps);
	session_put(s, "* CAPABILITY %s\r\n%s OK Pre-login capabilities listed, post-login capabilities have more.\r\n", caps.p,
		    s->tag);
	str_fini(&caps);
	return 0;
}

static int cmd_noop(struct session *s, struct imap_parse *p, struct err *err)
{
	if (imap_parse_end(p, err) < 0)
		return -1;
	session_put(s, "%s OK NOOP completed.\r\n", s->tag);
	return 0;
}

static int cmd_logout(struct session *s, struct imap_parse *p, struct err *err)
{
	if (imap_parse_end(p, err) < 0)
		return -1;
	session_put(s, "* BYE Logging out\r\n%s OK Logout completed.\r\n", s->tag);
	session_end(s, "Aborted login");
	return 0;
}

static int cmd_starttls(struct session *s, struct imap_parse *p, struct err *err)
{
	if (imap_parse_end(p, err) < 0)
		return -1;
	if (s->is_tls)
		return err_set(err, ERR_PROTO, "TLS is already active.");
	if (!session_offers_tls(s))
		return err_set(err, ERR_PROTO, "TLS support isn't enabled.");
	session_put(s, "%s OK Begin TLS negotiation now.\r\n", s->tag);
	session_starttls(s);
	return 0;
}

static void log_id(const struct session *s, const struct imap_id *id)
{
	struct str line = STR_INIT(2000);

	if (imap_id_log(&line, id, s->svc->imap.imap_id_log)) {
		log_as(s->svc->log_tag);
		log_info("ID sent: %s: rip=%s, lip=%s, session=<%s>", line.p, s->remote, s->local, s->id);
		log_as(NULL);
	}
	str_fini(&line);
}

static int cmd_id(struct session *s, struct imap_parse *p, struct err *err)
{
	struct str own = STR_INIT(4096);
	struct imap_id id;

	if (imap_id_parse(p, &id, err) < 0 || imap_parse_end(p, err) < 0)
		return -1;
	log_id(s, &id);
	BUG(imap_id_print(&own, s->svc->imap.imap_id_send) < 0);
	session_put(s, "* ID %s\r\n%s OK ID completed.\r\n", own.p, s->tag);
	str_fini(&own);
	return 0;
}

static int cmd_login(struct session *s, struct imap_parse *p, struct err *err)
{
	struct span user, password;

	if (imap_parse_sp(p, "user name", err) < 0 || imap_parse_astring(p, "user name", &user, err) < 0 ||
	    imap_parse_sp(p, "password", err) < 0 || imap_parse_astring(p, "password", &password, err) < 0 ||
	    imap_parse_end(p, err) < 0)
		return -1;
	if (session_may_plaintext(s))
		attempt_password(s, user, password);
	else
		attempt_disallow(s, user, true);
	return 0;
}

static int cmd_authenticate(struct session *s, struct imap_parse *p, struct err *err)
{
	struct str data = STR_INIT(SASL_LINE_MAX);
	struct span mech, rest, response, initial;

	if (imap_parse_sp(p, "mechanism", err) < 0 || imap_parse_atom(p, "mechanism", &mech, err) < 0)
		return -1;
	rest = span_trim(span_from(p->in, p->at));
	if (!span_word(&rest, " ", &response)) {
		attempt_begin(s, mech, NULL);
	} else if (rest.n || sasl_decode(&data, response, true) < 0) {
		s->n_bad++;
		s->proto->refuse(s, REFUSE_BAD_BASE64);
	} else {
		initial = str_span(&data);
		attempt_begin(s, mech, &initial);
	}
	explicit_bzero(data.p, data.cap);
	str_fini(&data);
	return 0;
}

static const struct cmd cmds[] = {
	{ "CAPABILITY", cmd_capability }, { "NOOP", cmd_noop }, { "LOGOUT", cmd_logout },
	{ "STARTTLS", cmd_starttls },     { "ID", cmd_id },     { "LOGIN", cmd_login },
	{ "AUTHENTICATE", cmd_authenticate },
};

static int dispatch(struct session *s, struct imap_parse *p, struct span verb, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(cmds); i++) {
		if (span_eqz(verb, cmds[i].verb))
			return cmds[i].fn(s, p, err);
	}
	return err_set(err, ERR_PROTO, "No such command before login.");
}

static void command(struct session *s, struct span text)
{
	struct imap_command c = { 0 };
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct imap_parse p;
	struct span first;
	int rc;

	imap_parse_init(&p, &a, text);
	rc = imap_parse_command(&p, &c, &err);
	if (rc == 0 && c.tag.n > TAG_MAX)
		rc = err_set(&err, ERR_PROTO, "The tag is too long.");
	set_tag(s, c.tag);
	if (rc < 0 || dispatch(s, &p, c.verb, &err) < 0) {
		s->n_bad++;
		session_put(s, "%s BAD %s\r\n", s->tag, err.msg);
	}
	if (span_word(&text, " ", &first) && protocol_is_http(first))
		session_end(s, "Disconnected: HTTP request");
	arena_fini(&a);
}

/* ---- input ---- */

/* Its bytes would come whether we answer or not, and may look like commands: nothing after them is read. */
static void too_big(struct session *s, size_t used)
{
	struct imap_command c = { 0 };
	struct err ignored = ERR_INIT;
	struct arena a = { 0 };
	struct imap_parse p;

	s->n_bad++;
	if (s->frame.literal.is_sync) {
		imap_parse_init(&p, &a, span_sub(stream_peek(&s->io), 0, used));
		(void)!imap_parse_command(&p, &c, &ignored);
		set_tag(s, c.tag);
		session_put(s, "%s NO [TOOBIG] Literals before login may have %u bytes.\r\n", s->tag, LITERALS_MAX);
		stream_skip(&s->io, used);
		start_frame(s);
		arena_fini(&a);
	} else {
		session_put(s, "* BYE [TOOBIG] Literals before login may have %u bytes.\r\n", LITERALS_MAX);
		session_end(s, "Disconnected: Literal too long");
	}
}

static enum io_rc framed(struct session *s)
{
	struct span in = stream_peek(&s->io);
	size_t used, n;

	switch (imap_frame_next(&s->frame, in, &used)) {
	case IMAP_FRAME_MORE:
		return IO_AGAIN;
	case IMAP_FRAME_SYNC:
		session_put(s, "+ OK\r\n");
		imap_frame_accept(&s->frame);
		return IO_OK;
	case IMAP_FRAME_NONSYNC:
		imap_frame_accept(&s->frame);
		return IO_OK;
	case IMAP_FRAME_TOO_BIG:
		too_big(s, used);
		return IO_OK;
	case IMAP_FRAME_COMMAND:
		n = s->frame.text_n;
		stream_skip(&s->io, used);
		s->n_commands++;
		command(s, span_sub(in, 0, n));
		return IO_OK;
	case IMAP_FRAME_BAD:
		stream_skip(&s->io, used);
		s->n_commands++;
		s->n_bad++;
		session_put(s, "* BAD A NUL byte in the command.\r\n");
		return IO_OK;
	default:
		return IO_TOOLONG;
	}
}

static enum io_rc response(struct session *s)
{
	struct span line;
	enum io_rc rc = stream_getline(&s->io, SASL_LINE_MAX, &line, NULL);

	if (rc != IO_OK)
		return rc;
	s->n_commands++;
	attempt_response(s, line);
	return IO_OK;
}

static enum io_rc input(struct session *s)
{
	return s->exchange.is_open ? response(s) : framed(s);
}

/* ---- answers ---- */

static void failed(struct session *s, enum auth_status status, struct span text)
{
	const char *code = status == AUTH_TEMP ? "UNAVAILABLE" : status == AUTH_REFUSED && text.n ? "CONTACTADMIN" :
			   "AUTHENTICATIONFAILED";

	if (status == AUTH_FAIL || text.n == 0)
		text = status == AUTH_TEMP ? SPAN_LIT("Temporary authentication failure.") : SPAN_LIT("Authentication failed.");
	session_put(s, "%s NO [%s] %.*s\r\n", s->tag, code, SPAN_ARG(text));
}

static void refuse(struct session *s, enum refusal why)
{
	static const char *const texts[] = {
		[REFUSE_LINE_TOO_LONG] = "* BYE Input buffer full, aborting.",
		[REFUSE_TIMEOUT] = "* BYE Disconnected for inactivity.",
		[REFUSE_TOO_MANY_BAD] = "* BYE Too many invalid IMAP commands.",
		[REFUSE_TOO_MANY_CONNECTIONS] = "* BYE [UNAVAILABLE] Too many connections from your address.",
		[REFUSE_PLAINTEXT] = "NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
		[REFUSE_NO_MECHANISM] = "NO Unsupported authentication mechanism.",
		[REFUSE_BAD_BASE64] = "BAD Invalid base64 data in authentication response.",
		[REFUSE_CANCELLED] = "BAD Authentication aborted by client.",
		[REFUSE_FULL] = "NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections)",
		[REFUSE_FAILED] = "* BYE Disconnected.",
	};

	if (why == REFUSE_NO_MECHANISM)
		s->n_bad++;
	/* the password is out: the user should know, whatever the client shows of a NO */
	if (why == REFUSE_PLAINTEXT && s->exposed_password)
		session_put(s, "* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. "
			    "If anyone was listening, the password was exposed.\r\n");
	if (texts[why][0] == '*')
		session_put(s, "%s\r\n", texts[why]);
	else
		session_put(s, "%s %s\r\n", s->tag, texts[why]);
}

const struct protocol imap_protocol = {
	.name = "imap",
	.log_tag = "imap-login",
	.dovecot_tag = "dovecot:imap-login",
	.parent = "imapd",
	.greet = greet,
	.input = input,
	.forget = forget,
	.failed = failed,
	.refuse = refuse,
};
