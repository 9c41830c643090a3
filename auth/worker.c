#include "auth/worker.h"

#include <unistd.h>

#include "auth/exchange.h"
#include "base/htab.h"
#include "base/log.h"
#include "svc/daemon_log.h"
#include "svc/msg_resolve.h"

struct worker {
	struct ipc ipc;
	struct passdb_chain chain;
	struct htab exchanges;          /* id -> struct exchange * */
	struct str seed;
	const char *fallback_seed;
};

static struct span key_of(const uint64_t *id)
{
	return (struct span){ (const char *)id, sizeof(*id) };
}

/* The one in the user store outlives restarts. */
static const char *seed(struct worker *w)
{
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < w->chain.n && w->seed.n == 0; i++) {
		if (w->chain.v[i].kind == PASSDB_USERS &&
		    users_get_secrets(w->chain.v[i].users, SPAN_LIT(USERS_SEED), &w->seed, &err) != MAP_FOUND)
			str_reset(&w->seed);
	}
	return w->seed.n ? w->seed.p : w->fallback_seed;
}

static void answer(struct worker *w, const struct ipc_msg *m, uint64_t id, struct exchange *x,
		   const struct work_answer *a)
{
	if (ipc_reply(&w->ipc, m->id, &work_answer_desc, a, NULL) < 0)
		log_error("worker: the answer does not fit into a frame");
	if (a->status != WORK_CONTINUE && a->status != WORK_PAM) {
		htab_del(&w->exchanges, key_of(&id));
		exchange_free(x);
	}
}

static void do_start(struct worker *w, const struct ipc_msg *m, const struct work_start *start)
{
	struct work_answer a = { .status = WORK_TEMP, .text = SPAN_LIT("Too many exchanges") };
	struct exchange *x, *old;

	if (w->exchanges.n >= WORKER_EXCHANGES_MAX) {
		answer(w, m, start->exchange, NULL, &a);
		return;
	}
	x = exchange_new(&w->chain, seed(w), start);
	old = htab_put(&w->exchanges, key_of(&start->exchange), x);
	exchange_free(old);
	exchange_start(x, start, &a);
	answer(w, m, start->exchange, x, &a);
}

static void do_step(struct worker *w, const struct ipc_msg *m, const struct work_step *step)
{
	struct exchange *x = htab_get(&w->exchanges, key_of(&step->exchange));
	struct work_answer a = { .status = WORK_TEMP, .text = SPAN_LIT("The exchange is gone") };

	if (x)
		exchange_step(x, step->response, &a);
	answer(w, m, step->exchange, x, &a);
}

static void do_resume(struct worker *w, const struct ipc_msg *m, const struct work_resume *r)
{
	struct exchange *x = htab_get(&w->exchanges, key_of(&r->exchange));
	struct work_answer a = { .status = WORK_TEMP, .text = SPAN_LIT("The exchange is gone") };

	if (x)
		exchange_resume(x, r->status == MSG_OK ? PASSDB_OK : r->status == MSG_NO ? PASSDB_NO : PASSDB_TEMP, &a);
	answer(w, m, r->exchange, x, &a);
}

static int serve(struct worker *w, const struct ipc_msg *m, struct arena *arena, struct err *err)
{
	static const struct ipc_desc *const descs[] = { &work_start_desc, &work_step_desc, &work_resume_desc,
							&work_abort_desc };
	const void *in = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(descs) && !in; i++) {
		if (descs[i]->type == m->type && !(in = ipc_decode(descs[i], m->body, arena, err)))
			return -1;
	}
	switch (m->type) {
	case MSG_WORK_START:
		do_start(w, m, in);
		return 0;
	case MSG_WORK_STEP:
		do_step(w, m, in);
		return 0;
	case MSG_WORK_RESUME:
		do_resume(w, m, in);
		return 0;
	case MSG_WORK_ABORT:
		exchange_free(htab_del(&w->exchanges, key_of(&((const struct work_abort *)in)->exchange)));
		return 0;
	default:
		return err_set(err, ERR_PROTO, "worker: unknown message %u", m->type);
	}
}

static void free_all(struct worker *w)
{
	size_t pos = 0;
	void *x;

	while (htab_next(&w->exchanges, &pos, NULL, &x))
		exchange_free(x);
	htab_fini(&w->exchanges);
	passdb_close(&w->chain);
	ipc_close(&w->ipc);
	str_fini(&w->seed);
}

int worker_run(const struct settings *s, const char *fallback_seed, int *fd)
{
	static const struct ipc_ops ops = { .name = "worker" };
	struct worker w = { .fallback_seed = fallback_seed };
	struct arena arena = { 0 };
	struct err err = ERR_INIT;
	struct ipc_msg m;
	int rc = passdb_open(&w.chain, s, &err);

	str_init(&w.seed, USERS_SECRETS_MAX);
	ipc_init(&w.ipc, NULL, &ops, NULL);
	w.ipc.is_secret = true;
	ipc_attach(&w.ipc, fd);
	while (rc == 0 && ipc_wait(&w.ipc, &m, UINT64_MAX, &err) == IPC_OK) {
		rc = serve(&w, &m, &arena, &err);
		/* responses and passwords came in this memory */
		explicit_bzero((void *)(uintptr_t)m.body.p, m.body.n);
		if (m.fd >= 0)
			close(m.fd);
		arena_reset(&arena);
		daemon_log_flush();
	}
	if (err.kind != ERR_NONE)
		log_error("worker: %s", err.msg);
	free_all(&w);
	arena_fini(&arena);
	return err.kind == ERR_NONE ? 0 : 1;
}
