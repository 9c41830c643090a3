#include "svc/sasl.h"

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"

#define ANSWER_TIMEOUT_MS 120000        /* PAM modules may be slow */

/* ---- the channel ---- */

static void on_mechs(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct sasl *a = arg;
	const struct auth_mechs *m = in;
	const struct auth_mech *v = m->mechs.v;
	size_t i;

	free(a->mechs);
	a->mechs = xcalloc(m->mechs.n + 1, sizeof(*a->mechs));
	a->n_mechs = 0;
	for (i = 0; i < m->mechs.n; i++) {
		struct sasl_mech *to = &a->mechs[a->n_mechs];
		size_t k;

		if (v[i].name.n == 0 || v[i].name.n >= sizeof(to->name))
			continue;
		for (k = 0; k < v[i].name.n; k++) {
			char ch = v[i].name.p[k];

			to->name[k] = ch >= 'a' && ch <= 'z' ? (char)(ch - 32) : ch;
		}
		to->is_plaintext = v[i].is_plaintext != 0;
		a->n_mechs++;
	}
}

static const struct ipc_rule rules[] = { { &auth_mechs_desc, ~0u, on_mechs } };

/* master brings a new end as soon as auth runs again. */
static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("channel auth: %s", why->msg);
}

static const struct ipc_ops ops = { "auth", rules, ARRAY_LEN(rules), on_lost, NULL };

void sasl_init(struct sasl *a, struct loop *loop)
{
	*a = (struct sasl){ 0 };
	ipc_init(&a->ipc, loop, &ops, a);
	a->ipc.is_secret = true;
}

void sasl_fini(struct sasl *a)
{
	ipc_close(&a->ipc);
	free(a->mechs);
	a->mechs = NULL;
	a->n_mechs = 0;
}

void sasl_attach(struct sasl *a, int *fd)
{
	ipc_attach(&a->ipc, fd);
}

bool sasl_is_known(const struct sasl *a)
{
	return a->mechs != NULL;
}

const struct sasl_mech *sasl_mech(const struct sasl *a, struct span name)
{
	size_t i;

	for (i = 0; i < a->n_mechs; i++) {
		if (span_eq_nocase(name, a->mechs[i].name))
			return &a->mechs[i];
	}
	return NULL;
}

int sasl_list(const struct sasl *a, bool may_plaintext, struct str *out)
{
	size_t i;

	for (i = 0; i < a->n_mechs; i++) {
		if (a->mechs[i].is_plaintext && !may_plaintext)
			continue;
		if (str_addc(out, ' ') < 0 || str_addz(out, a->mechs[i].name) < 0)
			return -1;
	}
	return 0;
}

/* ---- exchanges ---- */

static void on_answer(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct sasl_exchange *x = arg;
	const struct auth_answer *m = reply;
	struct sasl_result r = { .status = AUTH_TEMP };

	if (rc == IPC_TIMEOUT) {
		struct auth_abort gone = { x->id };

		(void)!ipc_send(&x->a->ipc, &auth_abort_desc, &gone, NULL);
	}
	if (rc == IPC_OK && m->status <= AUTH_REFUSED)
		r = (struct sasl_result){ (enum auth_status)m->status, m->challenge, m->user, m->ticket, m->text };
	if (r.status == AUTH_CONTINUE && r.challenge.n > SASL_DATA_MAX) {
		sasl_abort(x);
		r = (struct sasl_result){ .status = AUTH_TEMP };
	}
	if (r.status != AUTH_CONTINUE)
		x->is_open = false;
	x->fn(x->arg, &r);
}

static int ask(struct sasl_exchange *x, const struct ipc_desc *d, const void *in)
{
	x->is_open = ipc_call(&x->a->ipc, d, in, NULL, &auth_answer_desc, &x->req, on_answer, x,
			      ANSWER_TIMEOUT_MS) == 0;
	return x->is_open ? 0 : -1;
}

int sasl_begin(struct sasl_exchange *x, struct sasl *a, struct span mech, const struct span *initial,
	       const struct sasl_peer *peer, sasl_fn *fn, void *arg)
{
	struct auth_start m = {
		.exchange = a->last_exchange + 1,
		.mech = mech,
		.has_initial = initial != NULL,
		.initial = initial ? *initial : SPAN_NULL,
		.service = span_z(peer->service),
		.remote_addr = peer->remote_addr,
		.local_addr = peer->local_addr,
		.local_name = peer->local_name,
		.is_secure = peer->is_secure,
	};

	BUG(x->is_open);
	if (mech.n >= sizeof(a->mechs->name) || m.initial.n > SASL_DATA_MAX)
		return -1;
	*x = (struct sasl_exchange){ .a = a, .id = m.exchange, .fn = fn, .arg = arg };
	a->last_exchange++;
	return ask(x, &auth_start_desc, &m);
}

int sasl_step(struct sasl_exchange *x, struct span response)
{
	struct auth_step m = { x->id, response };

	BUG(!x->is_open || x->req.c);
	if (response.n > SASL_DATA_MAX) {
		sasl_abort(x);
		return -1;
	}
	return ask(x, &auth_step_desc, &m);
}

void sasl_abort(struct sasl_exchange *x)
{
	struct auth_abort m = { x->id };

	if (!x->is_open)
		return;
	ipc_cancel(&x->req);
	x->is_open = false;
	/* when auth is away there is nobody to tell */
	if (ipc_is_attached(&x->a->ipc))
		(void)!ipc_send(&x->a->ipc, &auth_abort_desc, &m, NULL);
}

int sasl_decode(struct str *out, struct span line, bool is_initial)
{
	size_t start = out->n;

	if (is_initial && span_eqz(line, "="))
		return 0;
	if (line.n > SASL_LINE_MAX || base64_decode(out, line) < 0)
		return -1;
	return out->n - start > SASL_DATA_MAX ? -1 : 0;
}
