/* POP3 before login: RFC 1939 section 4, 2449 (CAPA), 2595 (STLS), 3206 (response codes), 5034 (AUTH). */
#include "proto/pop3.h"

#include <string.h>

#include "base/mem.h"
#include "login/session.h"

enum { NEEDS_ARG = 1 };

struct cmd {
	const char *verb;
	void (*fn)(struct session *s, struct span args);
	unsigned flags;
};

static void greet(struct session *s)
{
	session_put(s, "+OK %s\r\n", s->svc->conf.login_greeting);
}

static void bad(struct session *s, const char *text)
{
	s->n_bad++;
	session_put(s, "-ERR %s\r\n", text);
}

/* USER works when PLAIN does: a password can only be checked so. */
static bool may_user(const struct session *s)
{
	return sasl_mech(&s->srv->sasl, SPAN_LIT("PLAIN")) && session_may_plaintext(s);
}

static void add_logins(const struct session *s, struct str *out)
{
	struct str mechs = STR_INIT(4096);

	attempt_mechs(s, &mechs);
	if (may_user(s))
		BUG(str_addz(out, "USER\r\n") < 0);
	if (mechs.n)
		BUG(str_addf(out, "SASL%s\r\n", mechs.p) < 0);
	str_fini(&mechs);
}

static void cmd_capa(struct session *s, struct span args)
{
	struct str logins = STR_INIT(8192);

	add_logins(s, &logins);
	session_put(s, "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n%s%sEXPIRE NEVER\r\n"
		       "IMPLEMENTATION Surat\r\n.\r\n", session_offers_tls(s) ? "STLS\r\n" : "", logins.p);
	str_fini(&logins);
}

static void cmd_stls(struct session *s, struct span args)
{
	if (s->is_tls) {
		bad(s, "TLS is already active.");
	} else if (!session_offers_tls(s)) {
		bad(s, "TLS support isn't enabled.");
	} else {
		session_put(s, "+OK Begin TLS negotiation now.\r\n");
		session_starttls(s);
	}
}

static void cmd_user(struct session *s, struct span args)
{
	if (!session_may_plaintext(s)) {
		attempt_disallow(s, args, false);
	} else if (!may_user(s)) {
		s->proto->refuse(s, REFUSE_NO_MECHANISM);
	} else {
		free(s->name);
		s->name = xstrndup(args.p, args.n);
		session_put(s, "+OK\r\n");
	}
}

static void cmd_pass(struct session *s, struct span args)
{
	char *name = s->name;

	if (!session_may_plaintext(s)) {
		attempt_disallow(s, span_z(s->user), true);
		return;
	}
	if (!name) {
		bad(s, "No username given.");
		return;
	}
	s->name = NULL;
	attempt_password(s, span_z(name), args);
	free(name);
}

static void list_mechs(struct session *s)
{
	struct str mechs = STR_INIT(4096);
	struct span all, one;

	attempt_mechs(s, &mechs);
	all = str_span(&mechs);
	session_put(s, "+OK\r\n");
	while (span_word(&all, " ", &one))
		session_put(s, "%.*s\r\n", SPAN_ARG(one));
	session_put(s, ".\r\n");
	str_fini(&mechs);
}

static void cmd_auth(struct session *s, struct span args)
{
	struct str data = STR_INIT(SASL_LINE_MAX);
	struct span mech, response, initial;

	if (!span_word(&args, " ", &mech)) {
		list_mechs(s);
		return;
	}
	if (!span_word(&args, " ", &response)) {
		attempt_begin(s, mech, NULL);
		return;
	}
	if (sasl_decode(&data, response, true) < 0) {
		s->n_bad++;
		s->proto->refuse(s, REFUSE_BAD_BASE64);
	} else {
		initial = str_span(&data);
		attempt_begin(s, mech, &initial);
	}
	explicit_bzero(data.p, data.cap);
	str_fini(&data);
}

static void cmd_quit(struct session *s, struct span args)
{
	session_put(s, "+OK Logging out\r\n");
	session_end(s, "Aborted login");
}

static const struct cmd cmds[] = {
	{ "CAPA", cmd_capa, 0 },         { "STLS", cmd_stls, 0 }, { "USER", cmd_user, NEEDS_ARG },
	{ "PASS", cmd_pass, NEEDS_ARG }, { "AUTH", cmd_auth, 0 }, { "QUIT", cmd_quit, 0 },
};

static void command(struct session *s, struct span line)
{
	struct span verb, args;
	size_t i;

	if (pop3_parse(line, &verb, &args) < 0) {
		bad(s, "Unknown command.");
		return;
	}
	for (i = 0; i < ARRAY_LEN(cmds); i++) {
		if (!span_eq_nocase(verb, cmds[i].verb))
			continue;
		if (cmds[i].flags & NEEDS_ARG && args.n == 0)
			bad(s, "Missing argument.");
		else
			cmds[i].fn(s, args);
		return;
	}
	bad(s, "Unknown command.");
	if (protocol_is_http(verb))
		session_end(s, "Disconnected: HTTP request");
}

static enum io_rc input(struct session *s)
{
	bool is_response = s->exchange.is_open;
	struct span line;
	enum io_rc rc = stream_getline(&s->io, is_response ? SASL_LINE_MAX : POP3_LINE_MAX, &line, NULL);

	if (rc != IO_OK)
		return rc;
	s->n_commands++;
	if (is_response)
		attempt_response(s, line);
	else
		command(s, line);
	return IO_OK;
}

/* RFC 3206: [AUTH] is said of names and passwords only, [SYS/TEMP] of us. */
static void failed(struct session *s, enum auth_status status, struct span text)
{
	if (status == AUTH_TEMP && text.n)
		session_put(s, "-ERR [SYS/TEMP] %.*s\r\n", SPAN_ARG(text));
	else if (status == AUTH_TEMP)
		session_put(s, "-ERR [SYS/TEMP] Temporary authentication failure.\r\n");
	else if (status == AUTH_REFUSED && text.n)
		session_put(s, "-ERR [AUTH] %.*s\r\n", SPAN_ARG(text));
	else
		session_put(s, "-ERR [AUTH] Authentication failed.\r\n");
}

static void refuse(struct session *s, enum refusal why)
{
	static const char *const texts[] = {
		[REFUSE_LINE_TOO_LONG] = "Line is too long.",
		[REFUSE_TIMEOUT] = "Disconnected for inactivity.",
		[REFUSE_TOO_MANY_BAD] = "Too many invalid commands.",
		[REFUSE_TOO_MANY_CONNECTIONS] = "[SYS/TEMP] Too many connections from your address.",
		[REFUSE_PLAINTEXT] = "[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
		[REFUSE_NO_MECHANISM] = "Unsupported authentication mechanism.",
		[REFUSE_BAD_BASE64] = "Invalid base64 data in authentication response.",
		[REFUSE_CANCELLED] = "Authentication aborted by client.",
		[REFUSE_FULL] = "[IN-USE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections)",
		[REFUSE_FAILED] = NULL, /* RFC 1939 has no last word */
	};

	if (why == REFUSE_NO_MECHANISM)
		s->n_bad++;
	if (texts[why])
		session_put(s, "-ERR %s\r\n", texts[why]);
}

const struct protocol pop3_protocol = {
	.name = "pop3",
	.log_tag = "pop3-login",
	.dovecot_tag = "dovecot:pop3-login",
	.parent = "pop3d",
	.greet = greet,
	.input = input,
	.forget = session_forget,
	.announce = add_logins,
	.failed = failed,
	.refuse = refuse,
};
