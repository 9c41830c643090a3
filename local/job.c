#include "local/job.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/delay.h"
#include "svc/msg_queue.h"

struct job *job_new(struct agent *agent, struct job **list, const struct dlv_job *m, int *fd)
{
	struct job *j = xnew(struct job);
	struct str bytes = STR_INIT(IPC_FRAME_MAX * 2);
	struct err err = ERR_INIT;

	BUG(ipc_encode(&bytes, &dlv_job_desc, m) < 0);
	j->m = ipc_decode(&dlv_job_desc, arena_span(&j->arena, str_span(&bytes)), &j->arena, &err);
	BUG(!j->m);
	str_fini(&bytes);
	j->agent = agent;
	j->fd = *fd;
	*fd = -1;
	j->received_ms = clock_wall_ms();
	queue_id_print(j->qid, m->qid);
	j->n_open = m->rcpts.n;
	j->rcpts = arena_alloc(&j->arena, (j->n_open + 1) * sizeof(*j->rcpts));
	j->at = list;
	j->next = *list;
	if (j->next)
		j->next->at = &j->next;
	*list = j;
	return j;
}

void job_free(struct job *j)
{
	*j->at = j->next;
	if (j->next)
		j->next->at = j->at;
	if (j->fd >= 0)
		close(j->fd);
	arena_fini(&j->arena);
	free(j);
}

struct span job_delivered(struct job *j, size_t slot)
{
	const struct dlv_rcpt *r = (const struct dlv_rcpt *)j->m->rcpts.v + slot;
	struct span out = arena_span(&j->arena, r->kind == RCPT_ADDRESS ? r->address : r->orig);
	char *p = (char *)(uintptr_t)out.p;

	for (size_t i = 0; i < out.n; i++)
		p[i] = (char)tolower((unsigned char)p[i]);
	return out;
}

static uint64_t since(uint64_t from, uint64_t to)
{
	return from && to > from ? to - from : 0;
}

static void log_line(const struct job *j, const struct dlv_rcpt *r, const struct dlv_rcpt_result *res, struct span text)
{
	static const char *const names[] = { "sent", "deferred", "bounced", "sent" };
	struct span to = r->kind == RCPT_ADDRESS ? r->address : r->holder.n ? r->holder : r->orig;
	uint64_t now = clock_wall_ms();
	const char *orig = "";
	char d[4][DELAY_TEXT];
	struct arena a = { 0 };

	delay_format(d[0], since(j->m->arrival_ms, now));
	delay_format(d[1], since(j->m->arrival_ms, j->m->queued_ms));
	delay_format(d[2], since(j->m->queued_ms, j->received_ms));
	delay_format(d[3], since(j->received_ms, now));
	if (r->orig.n && !span_same_nocase(r->orig, to))
		orig = arena_printf(&a, " orig_to=<%.*s>,", SPAN_ARG(r->orig));
	log_info("%s: to=<%.*s>,%s relay=%.*s, delay=%s, delays=%s/%s/0/%s, dsn=%.*s, status=%s (%.*s)", j->qid,
		 SPAN_ARG(to), orig, SPAN_ARG(j->m->transport), d[0], d[1], d[2], d[3], SPAN_ARG(res->dsn),
		 names[res->status], SPAN_ARG(text));
	arena_fini(&a);
}

/* As Postfix does it: a line for the user's own copy, and one for those that go on to others. */
static void log_result(const struct job *j, const struct dlv_rcpt *r, const struct dlv_rcpt_result *res)
{
	bool goes_on = res->status == DLV_EXPANDED && !span_starts(res->text, "passed to ");
	char text[64];

	if (!goes_on || span_starts(res->text, "delivered to "))
		log_line(j, r, res, res->text);
	snprintf(text, sizeof(text), "forwarded as %s", j->qid);
	if (goes_on)
		log_line(j, r, res, span_z(text));
}

struct ipc_list job_copy_news(struct arena *a, struct ipc_list from)
{
	struct ipc_list to = { arena_alloc(a, (from.n + 1) * sizeof(struct route_new)), from.n };

	for (size_t i = 0; i < from.n; i++) {
		const struct route_new *f = (const struct route_new *)from.v + i;

		((struct route_new *)to.v)[i] =
			(struct route_new){ arena_span(a, f->address), f->kind, arena_span(a, f->as_user),
					    arena_span(a, f->via) };
	}
	return to;
}

struct ipc_list job_add_news(struct arena *a, struct ipc_list from, struct span address, struct span via)
{
	struct ipc_list to = { arena_alloc(a, (from.n + 1) * sizeof(struct route_new)), from.n };
	struct route_new *v = to.v;

	if (from.n)
		memcpy(v, from.v, from.n * sizeof(*v));
	v[to.n++] = (struct route_new){ .address = address, .kind = RCPT_ADDRESS, .via = via };
	return to;
}

bool job_settle(struct job *j, size_t slot, const struct dlv_rcpt_result *res)
{
	const struct dlv_rcpt *r = (const struct dlv_rcpt *)j->m->rcpts.v + slot;
	struct job_rcpt *own = &j->rcpts[slot];

	if (own->is_settled)
		return false;
	own->is_settled = true;
	own->result = *res;
	own->result.index = r->index;
	own->result.dsn = arena_span(&j->arena, res->dsn);
	own->result.text = arena_span(&j->arena, res->text);
	own->result.news = job_copy_news(&j->arena, res->news);
	log_result(j, r, &own->result);
	return --j->n_open == 0;
}
