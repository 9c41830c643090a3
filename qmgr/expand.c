#include "qmgr/expand.h"

#include <ctype.h>

#include "base/htab.h"
#include "svc/msg_resolve.h"

/* Beyond so many new ones a table of all recipients is worth its making. */
#define TABLE_FROM 16
#define TEXT_MAX 4000

static const char known = 0, known_final = 0;   /* values of the table */

static bool same(const struct queue_rcpt *r, const struct route_new *n)
{
	if (r->kind != n->kind || !span_eq(r->via, n->via))
		return false;
	if (n->kind == QUEUE_ADDRESS)
		return span_same_nocase(r->addr, n->address);
	return span_eq(r->addr, n->address) && span_eq(r->as_user, n->as_user);
}

static struct queue_rcpt *by_no(const struct queue_msg *m, uint32_t no)
{
	size_t low = 0, high = m->n_rcpts;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->rcpts[mid].no < no)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->n_rcpts && m->rcpts[low].no == no ? &m->rcpts[low] : NULL;
}

/* Among the recipient itself and those it was expanded from. */
static bool is_ancestor(const struct queue_msg *m, size_t at, const struct route_new *n)
{
	const struct queue_rcpt *r = &m->rcpts[at], *up;

	for (;; r = up) {
		if (same(r, n))
			return true;
		up = by_no(m, r->parent);
		if (!up || up >= r)
			return false;
	}
}

struct span expand_holder(const struct queue_msg *m, const struct queue_rcpt *r, const char *origin, struct arena *a)
{
	const struct queue_rcpt *up;

	while (r->kind != QUEUE_ADDRESS) {
		up = by_no(m, r->parent);
		if (!up || up >= r)
			return SPAN_NULL;
		r = up;
	}
	return span_chr(r->addr, '@') >= 0 ? r->addr :
	       span_z(arena_printf(a, "%.*s@%s", SPAN_ARG(r->addr), origin));
}

/* Equal for what same() calls the same: no part holds a line end. */
static struct span key_of(struct str *key, struct span addr, uint64_t kind, struct span as_user, struct span via)
{
	size_t i;

	str_reset(key);
	(void)!str_addf(key, "%d\n%.*s\n%.*s\n", (int)kind, SPAN_ARG(via),
			SPAN_ARG(kind == QUEUE_ADDRESS ? SPAN_NULL : as_user));
	i = key->n;
	(void)!str_add_span(key, addr);
	for (; kind == QUEUE_ADDRESS && i < key->n; i++)
		key->p[i] = (char)tolower((unsigned char)key->p[i]);
	return str_span(key);
}

struct table {
	struct htab seen;
	struct str key;
};

static void table_add(struct table *t, const struct queue_rcpt *r)
{
	struct span key = key_of(&t->key, r->addr, r->kind, r->as_user, r->via);

	if (r->is_final || !htab_get(&t->seen, key))
		htab_put(&t->seen, key, (void *)(uintptr_t)(r->is_final ? &known_final : &known));
}

/* An address that was expanded is no duplicate of itself unless it is final. */
static bool is_known(const struct queue_msg *m, struct table *t, const struct route_new *n, bool is_final)
{
	const void *found;
	size_t i;

	if (t->seen.n) {
		found = htab_get(&t->seen, key_of(&t->key, n->address, n->kind, n->as_user, n->via));
		return found && (!is_final || found == &known_final);
	}
	for (i = 0; i < m->n_rcpts; i++) {
		const struct queue_rcpt *r = &m->rcpts[i];

		if (same(r, n) && (!is_final || r->is_final))
			return true;
	}
	return false;
}

/* Newlines separate the Delivered-To chain, and nothing we store may carry a control character into a header or a
 * log. */
static bool has_controls(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 32 && s.p[i] != '\t')
			return true;
	}
	return false;
}

static int check_new(const struct route_new *n, struct err *err)
{
	if (n->address.n == 0 || n->address.n > TEXT_MAX || n->via.n > TEXT_MAX || n->as_user.n > TEXT_MAX ||
	    n->kind > QUEUE_INCLUDE)
		return err_dsn(err, ERR_PROTO, "4.3.0", "expansion to something that is no recipient");
	if (has_controls(n->address) || has_controls(n->via) || has_controls(n->as_user))
		return err_dsn(err, ERR_PROTO, "4.3.0", "expansion to a recipient with control characters");
	return 0;
}

static struct span chain_of(const struct queue_rcpt *parent, bool is_forward, struct arena *a)
{
	char *z;

	if (!is_forward || parent->kind != QUEUE_ADDRESS)
		return parent->delivered_to;
	z = arena_printf(a, "%.*s%s%.*s", SPAN_ARG(parent->delivered_to), parent->delivered_to.n ? "\n" : "",
			 SPAN_ARG(parent->addr));
	return span_z(z);
}

static int check_all(const struct queue_msg *m, const struct queue_rcpt *parent, const struct ipc_list *news,
		     size_t max, struct err *err)
{
	const struct route_new *v = news->v;
	size_t i;

	if (parent->depth >= EXPAND_DEPTH_MAX)
		return err_dsn(err, ERR_PERM, "5.4.6", "mail forwarding loop for %.*s", SPAN_ARG(parent->addr));
	if (news->n > max || m->n_rcpts > max - news->n)
		return err_dsn(err, ERR_TEMP, "4.6.0",
			       "expansion of %.*s has too many recipients (qmgr_message_recipient_limit)",
			       SPAN_ARG(parent->addr));
	for (i = 0; i < news->n; i++) {
		if (check_new(&v[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Each new one repeats what its parent has: a long chain and a long list together are more than a record holds. */
static int check_bytes(const struct queue_msg *m, const struct queue_rcpt *parent, const struct ipc_list *news,
		       struct span chain, struct span sender, struct err *err)
{
	size_t each = queue_rcpt_bytes(parent) - parent->delivered_to.n + chain.n + sender.n, bytes = m->rcpt_bytes;
	const struct route_new *v = news->v;
	size_t i;

	for (i = 0; i < news->n && bytes <= QUEUE_RCPT_BYTES; i++)
		bytes += each + v[i].address.n + v[i].as_user.n + v[i].via.n;
	return bytes <= QUEUE_RCPT_BYTES ? 0 : err_dsn(err, ERR_TEMP, "4.6.0",
						       "expansion of %.*s has too many bytes of addresses",
						       SPAN_ARG(parent->addr));
}

int expand_rcpt(struct queue_msg *m, size_t parent_at, const struct ipc_list *news, bool has_sender, struct span sender,
		bool is_forward, size_t max, struct arena *a, struct err *err)
{
	struct queue_rcpt parent = m->rcpts[parent_at];
	const struct route_new *v = news->v;
	struct table t = { .key = STR_INIT(4 * TEXT_MAX) };
	struct span chain;
	size_t i;

	if (check_all(m, &parent, news, max < QUEUE_RCPT_MAX ? max : QUEUE_RCPT_MAX, err) < 0)
		return -1;
	chain = chain_of(&parent, is_forward, a);
	if (check_bytes(m, &parent, news, chain, has_sender ? sender : SPAN_NULL, err) < 0)
		return -1;
	sender = has_sender ? arena_span(a, sender) : SPAN_NULL;
	for (i = 0; news->n > TABLE_FROM && i < m->n_rcpts; i++)
		table_add(&t, &m->rcpts[i]);
	for (i = 0; i < news->n; i++) {
		bool is_final = v[i].via.n || is_ancestor(m, parent_at, &v[i]);
		struct queue_rcpt *r;

		if (is_known(m, &t, &v[i], is_final))
			continue;
		r = queue_add_rcpt(m, a);
		r->parent = parent.no;
		r->depth = parent.depth + 1;
		r->kind = (uint8_t)v[i].kind;
		r->is_final = is_final;
		r->addr = arena_span(a, v[i].address);
		r->as_user = arena_span(a, v[i].as_user);
		r->via = arena_span(a, v[i].via);
		r->orig = parent.orig.n ? parent.orig : parent.addr;
		r->delivered_to = r->via.n ? parent.delivered_to : chain;       /* passed on, not forwarded */
		/* RFC 3461 5.2.7.3: behind a list with an owner the first sender hears of nobody's delivery */
		r->sender = has_sender && m->sender.n ? sender : parent.sender;
		if (!has_sender) {
			r->notify = parent.notify;
			r->orcpt = parent.orcpt;
		}
		m->rcpt_bytes += queue_rcpt_bytes(r);
		if (t.seen.n)
			table_add(&t, r);
	}
	htab_fini(&t.seen);
	str_fini(&t.key);
	m->rcpts[parent_at].action = QUEUE_EXPANDED;
	m->rcpts[parent_at].state = has_sender && (parent.notify & QUEUE_SUCCESS) ? QUEUE_SENT : QUEUE_CLOSED;
	m->rcpts[parent_at].dsn = SPAN_LIT("2.0.0");
	m->rcpts[parent_at].text = SPAN_LIT("expanded");
	return 0;
}
