#include "io/loop.h"

#include "io/ipc.h"

/* The last thing before the wait: whatever the handlers of this turn wrote leaves in one write per channel. */
static void on_before_wait(uv_prepare_t *h)
{
	struct loop *l = h->data;

	ipc_flush_unsent(l);
	arena_reset(&l->tick);
}

int loop_init(struct loop *l, struct err *err)
{
	int rc;

	*l = (struct loop){ 0 };
	arena_init(&l->tick, 16 * 1024);
	rc = uv_loop_init(&l->uv);
	if (rc < 0)
		return err_set(err, ERR_SYS, "event loop: %s", uv_strerror(rc));
	uv_prepare_init(&l->uv, &l->before_wait);
	l->before_wait.data = l;
	uv_prepare_start(&l->before_wait, on_before_wait);
	uv_unref((uv_handle_t *)&l->before_wait);
	return 0;
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
	ipc_flush_unsent(l);
}

void loop_turn(struct loop *l, bool may_wait)
{
	uv_run(&l->uv, may_wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	ipc_flush_unsent(l);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

void loop_fini(struct loop *l)
{
	uv_close((uv_handle_t *)&l->before_wait, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	BUG(uv_loop_close(&l->uv) != 0);
	arena_fini(&l->tick);
}
