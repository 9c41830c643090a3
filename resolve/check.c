#include "resolve/check.h"

#include "base/clock.h"
#include "resolve/route.h"
#include "svc/msg_queue.h"

/* Questions for one recipient; a list whose first so many members are all unknown is accepted unseen. */
#define QUESTIONS_MAX 200

struct step {
	const struct step *from;
	struct span address;
	unsigned depth;
};

struct walk {
	const struct rules *r;
	struct arena *a;
	struct rcpt_verdict *out;       /* of the first no, or of the first "not now" */
	const struct full *full;
	const struct rcpt_check *q;
	unsigned questions;
	bool has_verdict;
};

static void verdict(struct walk *w, enum msg_status status, struct span dsn, struct span text)
{
	if (w->has_verdict && (w->out->status == MSG_TEMP || status == MSG_NO))
		return;
	w->has_verdict = true;
	w->out->status = status;
	w->out->dsn = dsn;
	w->out->text = text;
}

/* qmgr's rule: an address that came out of its own expansion is final. */
static bool is_final(const struct step *s)
{
	const struct step *up = s->from;

	while (up && !span_same_nocase(up->address, s->address))
		up = up->from;
	return up != NULL;
}

/* True when mail has a place to go. */
static bool follow(struct walk *w, const struct step *s, struct span sender)
{
	struct route_query q = { .address = s->address, .sender = sender, .is_final = is_final(s) };
	const struct route_new *v;
	struct route out;
	size_t i;

	if (s->depth > w->r->resolve.alias_recursion_limit) {
		verdict(w, MSG_NO, SPAN_LIT("5.4.6"), SPAN_LIT("Alias loop"));
		return false;
	}
	if (w->questions++ > QUESTIONS_MAX)
		return true;
	route_get(&out, w->r, &q, w->a);
	if (out.action == ROUTE_DELIVER && w->q->has_letter &&
	    full_refuses(w->full, &out, w->q->size, clock_mono_ms())) {
		verdict(w, MSG_NO, SPAN_LIT("5.2.2"), SPAN_LIT("Mailbox is full"));
		return false;
	}
	if (out.action == ROUTE_DELIVER)
		return true;
	/* error(8): retry takes the letter and holds it; what error says is for the client, whatever its class */
	if (out.action == ROUTE_DEFER && span_eqz(out.transport, "retry"))
		return true;
	if (out.action != ROUTE_EXPAND) {
		bool is_no = out.action == ROUTE_REJECT || span_eqz(out.transport, "error");

		verdict(w, is_no ? MSG_NO : MSG_TEMP, out.dsn, out.text);
		return false;
	}
	v = out.news.v;
	for (i = 0; i < out.news.n; i++) {
		struct step next = { s, v[i].address, s->depth + 1 };

		if (v[i].via.n)         /* a member that is returned */
			continue;
		if (v[i].kind != RCPT_ADDRESS || follow(w, &next, sender))
			return true;
	}
	return false;
}

/* The table that lists all recipients of the class, where there is one. virtual_alias_maps and transport lead on: only
 * an address that nothing rewrites is looked up. */
static enum map_rc is_listed(const struct walk *w, const struct lookup *l, const char **text_r, struct err *err)
{
	const struct maps_list *maps = NULL;
	struct lookup_hit hit;

	if (l->class == ADDR_LOCAL) {
		maps = &w->r->local_recipient_maps;
		*text_r = "User unknown in local recipient table";
	} else if (l->class == ADDR_RELAY) {
		maps = &w->r->relay_recipient_maps;
		*text_r = "User unknown in relay recipient table";
	}
	if (!maps || maps->n == 0 || (l->class == ADDR_LOCAL && span_eq_nocase(l->base, "postmaster")))
		return MAP_FOUND;
	if (w->r->virtual_alias_maps.n) {
		enum map_rc rc = lookup_address(&hit, w->r, &w->r->virtual_alias_maps, l, w->a, err);

		if (rc != MAP_NONE)
			return rc;
	}
	return lookup_address(&hit, w->r, maps, l, w->a, err);
}

void check_rcpt(struct rcpt_verdict *out, const struct rules *r, const struct full *full, const struct rcpt_check *q,
		struct arena *a)
{
	struct walk w = { .r = r, .a = a, .out = out, .full = full, .q = q };
	struct step first = { .address = q->address };
	struct err err = ERR_INIT;
	const char *text = NULL;
	struct lookup l;
	enum map_rc rc;

	*out = (struct rcpt_verdict){ 0 };
	rc = lookup_parse(&l, r, q->address, a, &err);
	if (rc == MAP_FOUND) {
		out->class = l.class == ADDR_RELAY && l.is_routed ? ADDR_OTHER : l.class;
		rc = is_listed(&w, &l, &text, &err);
	}
	if (rc == MAP_TEMP)
		verdict(&w, MSG_TEMP, SPAN_LIT("4.3.0"), span_z(arena_strdup(a, err.msg)));
	else if (rc == MAP_NONE && text)
		verdict(&w, MSG_NO, SPAN_LIT("5.1.1"), span_z(text));
	else if (rc == MAP_NONE)
		verdict(&w, MSG_NO, SPAN_LIT("5.1.3"), span_z(arena_strdup(a, err.msg)));
	else if (follow(&w, &first, q->sender))
		out->status = MSG_OK;
	else if (!w.has_verdict)
		verdict(&w, MSG_NO, SPAN_LIT("5.1.1"), SPAN_LIT("User unknown"));
	if (out->status == MSG_OK)
		out->dsn = out->text = SPAN_NULL;
}
