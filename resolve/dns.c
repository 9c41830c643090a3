/* A client's name is believed when its own addresses contain the client's (forward confirmation):
 *
 *   cache ─▶ /etc/hosts ─▶ PTR ─▶ A or AAAA of that name ─▶ answer, remembered for its time to live
 *
 * libunbound works in a thread of its own; its descriptor tells the loop when answers are there.
 */
#include "resolve/dns.h"

#include <unbound.h>

#include "base/clock.h"
#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"

#define TICK_MS 250
#define HOSTS_MAX (1 << 20)
#define TTL_MIN_S 30u
#define TTL_MAX_S 3600u

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28 };     /* RFC 1035 section 3.2.2, RFC 3596 */
enum { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3 };

struct name {
	char *address;
	char *reverse;                  /* "" when PTR knows none */
	bool is_verified;
	uint64_t until_ms;
	struct name *newer;
};

struct dns {
	struct ub_ctx *ub;
	uv_poll_t *poll;
	uv_timer_t *timer;
	char *hosts;
	uint64_t timeout_ms;
	LIST_HEAD(, dns_req) reqs;
	struct htab cache;              /* address -> struct name */
	struct name *oldest, *newest;
	size_t n_names, cache_max;
};

/* ---- cache ---- */

static void forget_oldest(struct dns *d)
{
	struct name *n = d->oldest;

	d->oldest = n->newer;
	if (!d->oldest)
		d->newest = NULL;
	if (htab_get(&d->cache, span_z(n->address)) == n)
		htab_del(&d->cache, span_z(n->address));
	free(n->address);
	free(n->reverse);
	free(n);
	d->n_names--;
}

static void remember(struct dns *d, const struct dns_req *req, bool is_verified)
{
	uint64_t ttl = req->ttl_s < TTL_MIN_S ? TTL_MIN_S : req->ttl_s > TTL_MAX_S ? TTL_MAX_S : req->ttl_s;
	struct name *n;

	if (d->cache_max == 0)
		return;
	n = xnew(struct name);
	n->address = xstrndup(req->address.p, req->address.n);
	n->reverse = xstrdup(req->reverse ? req->reverse : "");
	n->is_verified = is_verified;
	n->until_ms = clock_mono_ms() + ttl * 1000;
	if (d->newest)
		d->newest->newer = n;
	else
		d->oldest = n;
	d->newest = n;
	htab_put(&d->cache, span_z(n->address), n);
	if (++d->n_names > d->cache_max)
		forget_oldest(d);
}

/* ---- answering ---- */

static void answer(struct dns_req *req, enum msg_status reverse_status, enum msg_status status)
{
	struct ptr_name out = { .status = status, .reverse_status = reverse_status };
	char *reverse = req->reverse, *address = (char *)(uintptr_t)req->address.p;

	if (reverse)
		out.reverse = span_z(reverse);
	if (status == MSG_OK)
		out.name = out.reverse;
	if (req->async_id)
		ub_cancel(req->d->ub, req->async_id);
	LIST_REMOVE(req, link);
	req->reverse = NULL;
	req->d = NULL;
	req->fn(req->arg, &out);        /* req may be gone */
	free(reverse);
	free(address);
}

/* What is known so far is said; the rest may be known later. */
static void give_up(struct dns_req *req)
{
	answer(req, req->reverse ? MSG_OK : MSG_TEMP, MSG_TEMP);
}

static void on_answer(void *arg, int rc, struct ub_result *result);

static void ask(struct dns_req *req, const char *name, int type)
{
	req->async_id = 0;
	if (ub_resolve_async(req->d->ub, name, type, 1, req, on_answer, &req->async_id) != 0) {
		req->async_id = 0;
		give_up(req);
	}
}

static void on_ptr(struct dns_req *req, const struct ub_result *result)
{
	struct str name = STR_INIT(256);
	size_t i;

	for (i = 0; result->havedata && result->data[i] && !req->reverse; i++) {
		str_reset(&name);
		if (dns_text_name(&name, (struct span){ result->data[i], (size_t)result->len[i] }) == 0)
			req->reverse = str_detach(&name);
	}
	str_fini(&name);
	if (req->reverse) {
		ask(req, req->reverse, req->family == AF_INET ? TYPE_A : TYPE_AAAA);
		return;
	}
	remember(req->d, req, false);
	answer(req, MSG_NO, MSG_NO);
}

static void on_forward(struct dns_req *req, const struct ub_result *result)
{
	int n = req->family == AF_INET ? 4 : 16;
	bool is_verified = false;
	size_t i;

	for (i = 0; result->havedata && result->data[i]; i++)
		is_verified = is_verified || (result->len[i] == n && memcmp(result->data[i], req->ip, (size_t)n) == 0);
	remember(req->d, req, is_verified);
	answer(req, MSG_OK, is_verified ? MSG_OK : MSG_NO);
}

static void on_answer(void *arg, int rc, struct ub_result *result)
{
	struct dns_req *req = arg;
	uint64_t ttl;

	req->async_id = 0;
	if (rc != 0 || !result || (result->rcode != RCODE_NOERROR && result->rcode != RCODE_NXDOMAIN)) {
		give_up(req);
	} else {
		ttl = result->ttl > 0 ? (uint64_t)result->ttl : 0;
		if (ttl < req->ttl_s)
			req->ttl_s = ttl;
		if (req->reverse)
			on_forward(req, result);
		else
			on_ptr(req, result);
	}
	ub_resolve_free(result);
}

/* ---- asking ---- */

/* The file is small and seldom asked (the cache is in front), so it is read anew: a change needs no reload. */
static bool in_hosts(struct dns *d, struct dns_req *req)
{
	struct str text = STR_INIT(HOSTS_MAX);
	FILE *f = fopen(d->hosts, "re");
	struct span name;
	bool found = false;
	char *to;
	size_t n = 1;

	while (f && n > 0 && (to = str_room(&text, 4096)) != NULL) {
		n = fread(to, 1, 4096, f);
		str_grew(&text, n);
	}
	if (f)
		fclose(f);
	found = dns_text_hosts(str_span(&text), req->ip, req->family, &name);
	if (found)
		req->reverse = xstrndup(name.p, name.n);
	str_fini(&text);
	return found;
}

static void on_tick(uv_timer_t *t)
{
	struct dns *d = t->data;
	uint64_t now = clock_mono_ms();
	struct dns_req *req, *next;

	for (req = LIST_FIRST(&d->reqs); req; req = next) {
		next = LIST_NEXT(req, link);
		if (now >= req->deadline_ms)
			give_up(req);
	}
	if (LIST_EMPTY(&d->reqs))
		uv_timer_stop(t);
}

void dns_ptr(struct dns *d, struct dns_req *req, struct span address, dns_fn *fn, void *arg)
{
	const struct name *known = htab_get(&d->cache, address);
	char question[80];

	*req = (struct dns_req){ .d = d, .fn = fn, .arg = arg, .ttl_s = TTL_MAX_S,
				 .address = { xstrndup(address.p, address.n), address.n },
				 .deadline_ms = clock_mono_ms() + d->timeout_ms };
	LIST_INSERT_HEAD(&d->reqs, req, link);
	if (known && known->until_ms > clock_mono_ms()) {
		req->reverse = known->reverse[0] ? xstrdup(known->reverse) : NULL;
		answer(req, req->reverse ? MSG_OK : MSG_NO, known->is_verified ? MSG_OK : MSG_NO);
		return;
	}
	req->family = dns_text_address(address, req->ip);
	if (req->family < 0) {
		answer(req, MSG_NO, MSG_NO);
		return;
	}
	if (in_hosts(d, req)) {
		req->ttl_s = TTL_MIN_S;
		remember(d, req, true);
		answer(req, MSG_OK, MSG_OK);
		return;
	}
	if (!uv_is_active((uv_handle_t *)d->timer))
		uv_timer_start(d->timer, on_tick, TICK_MS, TICK_MS);
	dns_text_reverse(question, req->ip, req->family);
	ask(req, question, TYPE_PTR);
}

/* ---- the resolver ---- */

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct dns *d = p->data;

	if (ub_process(d->ub) != 0)
		log_error("the DNS resolver fails; client names stay unknown");
}

static int set_option(struct ub_ctx *ub, const char *name, const char *value, struct err *err)
{
	int rc = ub_ctx_set_option(ub, name, value);

	return rc == 0 ? 0 : err_set(err, ERR_SYS, "libunbound: %s %s: %s", name, value, ub_strerror(rc));
}

static int configure(struct ub_ctx *ub, const struct dns_options *opt, struct err *err)
{
	size_t i;
	int rc;

	/* a resolver on this machine and names of private networks are what mail servers meet every day */
	if (set_option(ub, "do-not-query-localhost:", "no", err) < 0 ||
	    set_option(ub, "unblock-lan-zones:", "yes", err) < 0 ||
	    set_option(ub, "insecure-lan-zones:", "yes", err) < 0)
		return -1;
	for (i = 0; i < opt->servers->n; i++) {
		rc = ub_ctx_set_fwd(ub, opt->servers->v[i]);
		if (rc != 0)
			return err_set(err, ERR_CONF, "resolve_dns_server: '%s': %s", opt->servers->v[i],
				       ub_strerror(rc));
	}
	if (opt->servers->n == 0 && ub_ctx_resolvconf(ub, NULL) != 0)
		log_warn("/etc/resolv.conf cannot be read; names are asked from the root servers on");
	(void)!ub_ctx_hosts(ub, opt->hosts);
	rc = ub_ctx_async(ub, 1);
	return rc == 0 ? 0 : err_set(err, ERR_SYS, "libunbound: %s", ub_strerror(rc));
}

int dns_open(struct dns **d_r, struct loop *loop, const struct dns_options *opt, struct err *err)
{
	struct ub_ctx *ub = ub_ctx_create();
	struct dns *d;

	if (!ub)
		return err_set(err, ERR_SYS, "libunbound cannot be started");
	ub_ctx_debuglevel(ub, 0);
	ub_ctx_debugout(ub, NULL);
	if (configure(ub, opt, err) < 0) {
		ub_ctx_delete(ub);
		return -1;
	}
	d = xnew(struct dns);
	d->ub = ub;
	d->hosts = xstrdup(opt->hosts);
	d->timeout_ms = opt->timeout_ms;
	d->cache_max = opt->cache_max;
	d->poll = xnew(uv_poll_t);
	d->timer = xnew(uv_timer_t);
	BUG(uv_poll_init(&loop->uv, d->poll, ub_fd(ub)) != 0);
	uv_timer_init(&loop->uv, d->timer);
	d->poll->data = d;
	d->timer->data = d;
	uv_poll_start(d->poll, UV_READABLE, on_readable);
	*d_r = d;
	return 0;
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void dns_close(struct dns *d)
{
	if (!d)
		return;
	while (!LIST_EMPTY(&d->reqs))
		give_up(LIST_FIRST(&d->reqs));
	uv_close((uv_handle_t *)d->poll, free_handle);
	uv_close((uv_handle_t *)d->timer, free_handle);
	ub_ctx_delete(d->ub);
	while (d->oldest)
		forget_oldest(d);
	htab_fini(&d->cache);
	free(d->hosts);
	free(d);
}
