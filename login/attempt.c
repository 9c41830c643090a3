#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "login/session.h"

#define NAME_MAX_BYTES 320

void attempt_mechs(const struct session *s, struct str *out)
{
	if (s->svc->conf.ssl == SSL_REQUIRED && !session_may_plaintext(s))
		return;
	BUG(sasl_list(&s->srv->sasl, session_may_plaintext(s), out) < 0);
}

static void set_user(struct session *s, struct span name)
{
	free(s->user);
	s->user = xstrndup(name.p, name.n < NAME_MAX_BYTES ? name.n : NAME_MAX_BYTES);
}

static bool shows_user(const struct session *s)
{
	return strcmp(s->mech, "PLAIN") == 0 || strcmp(s->mech, "LOGIN") == 0;
}

/* The name for the log of a failed attempt stands in PLAIN's only message and in LOGIN's first. */
static void learn_user(struct session *s, struct span data)
{
	struct span authzid, rest;

	if (s->mech_step++ > 0 || !shows_user(s))
		return;
	if (strcmp(s->mech, "PLAIN") == 0) {
		span_cut(data, '\0', &authzid, &rest);
		span_cut(rest, '\0', &data, &authzid);
	}
	set_user(s, data);
}

static void failed(struct session *s, enum auth_status status, struct span text)
{
	if (status != AUTH_TEMP)
		s->n_attempts++;
	/* neither is a guess: who bans guessers by the log would ban an address for them */
	if (status == AUTH_TEMP)
		s->obstacle = "temporary authentication failure";
	else if (status == AUTH_REFUSED)
		s->obstacle = "login disabled, 1 successful auths";
	s->proto->failed(s, status, text);
	if (s->n_attempts < s->svc->conf.login_max_failures)
		return;
	s->proto->refuse(s, REFUSE_FAILED);
	session_end(s, "Disconnected: Too many authentication failures");
}

static void on_result(void *arg, const struct sasl_result *r)
{
	struct session *s = arg;
	struct str line = STR_INIT(SASL_LINE_MAX * 2);

	session_resume(s);
	/* the name as it was typed says more of a failure, where there was one to see */
	if (r->user.n && (r->status == AUTH_OK || !shows_user(s)))
		set_user(s, r->user);
	if (r->status == AUTH_CONTINUE) {
		BUG(base64_encode(&line, r->challenge) < 0);
		/* RFC 3501 section 6.2.2, RFC 5034 section 4 */
		session_put(s, "+ %.*s\r\n", (int)line.n, line.p);
	} else if (r->status == AUTH_OK) {
		ipc_cancel(&s->req);
		handover_start(s, r->ticket);
	} else {
		failed(s, r->status, r->text);
	}
	str_fini(&line);
	session_run(s);
}

static void begin(struct session *s)
{
	struct span initial = str_span(&s->initial);
	struct sasl_peer peer = {
		.service = s->proto->name,
		.remote_addr = span_z(s->remote),
		.local_addr = span_z(s->local),
		.is_secure = s->is_tls || session_is_local(s),
	};
	int rc = sasl_begin(&s->exchange, &s->srv->sasl, span_z(s->mech), s->has_initial ? &initial : NULL, &peer,
			    on_result, s);

	explicit_bzero(s->initial.p, s->initial.cap);
	str_fini(&s->initial);
	if (rc == 0)
		session_await(s);
	else
		failed(s, AUTH_TEMP, SPAN_NULL);
}

static void disallow(struct session *s, bool is_password)
{
	s->obstacle = "tried to use disallowed plaintext auth";
	s->exposed_password = is_password;
	s->proto->refuse(s, REFUSE_PLAINTEXT);
}

void attempt_disallow(struct session *s, struct span user, bool is_password)
{
	char *name = xstrndup(user.p, user.n);

	set_user(s, span_z(name));
	free(name);
	disallow(s, is_password);
}

void attempt_begin(struct session *s, struct span mech, const struct span *initial)
{
	const struct sasl_mech *m = sasl_mech(&s->srv->sasl, mech);

	/* auth is about to tell which there are */
	if (!s->srv->sasl.n_mechs) {
		failed(s, AUTH_TEMP, SPAN_NULL);
		return;
	}
	mech = span_sub(m ? span_z(m->name) : mech, 0, sizeof(s->mech) - 1);
	memcpy(s->mech, mech.p, mech.n);
	s->mech[mech.n] = '\0';
	s->mech_step = 0;
	s->obstacle = NULL;
	if (!m) {
		s->obstacle = "tried to use unsupported auth mechanism";
		s->proto->refuse(s, REFUSE_NO_MECHANISM);
		return;
	}
	if (initial)
		learn_user(s, *initial);
	if ((m->is_plaintext || s->svc->conf.ssl == SSL_REQUIRED) && !session_may_plaintext(s)) {
		disallow(s, m->is_plaintext && initial);
		return;
	}
	s->has_initial = initial != NULL;
	if (initial) {
		str_init(&s->initial, SASL_DATA_MAX);
		if (str_add_span(&s->initial, *initial) < 0) {
			s->proto->refuse(s, REFUSE_BAD_BASE64);
			return;
		}
	}
	begin(s);
}

void attempt_password(struct session *s, struct span user, struct span password)
{
	struct str plain = STR_INIT(SASL_DATA_MAX);
	struct span initial;

	/* auth refuses a longer one, and whatever else no name can be; NUL would be the end of the name here */
	user = span_sub(user, 0, NAME_MAX_BYTES);
	if (span_has_nul(user)) {
		failed(s, AUTH_FAIL, SPAN_NULL);
		return;
	}
	BUG(str_addc(&plain, '\0') < 0 || str_add_span(&plain, user) < 0 || str_addc(&plain, '\0') < 0 ||
	    str_add_span(&plain, span_sub(password, 0, SASL_DATA_MAX - 2 * NAME_MAX_BYTES)) < 0);
	initial = str_span(&plain);
	attempt_begin(s, SPAN_LIT("PLAIN"), &initial);
	explicit_bzero(plain.p, plain.cap);
	str_fini(&plain);
}

void attempt_response(struct session *s, struct span line)
{
	struct str data = STR_INIT(SASL_LINE_MAX);

	if (span_eqz(line, "*")) {
		sasl_abort(&s->exchange);
		s->n_bad++;
		s->proto->refuse(s, REFUSE_CANCELLED);
	} else if (sasl_decode(&data, line, false) < 0) {
		sasl_abort(&s->exchange);
		s->n_bad++;
		s->proto->refuse(s, REFUSE_BAD_BASE64);
	} else {
		learn_user(s, str_span(&data));
		if (sasl_step(&s->exchange, str_span(&data)) == 0)
			session_await(s);
		else
			failed(s, AUTH_TEMP, SPAN_NULL);
	}
	explicit_bzero(data.p, data.cap);
	str_fini(&data);
}
