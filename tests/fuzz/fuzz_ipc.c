/* The bytes of a peer on a channel: frames with any content, over the messages that exist. The first byte chooses the
 * description for a bare decode; the rest also goes through a channel in blocking use. */
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "io/ipc.h"
#include "svc/msg_anvil.h"
#include "svc/msg_auth.h"
#include "svc/msg_ctl.h"
#include "svc/msg_deliver.h"
#include "svc/msg_master.h"
#include "svc/msg_queue.h"
#include "svc/msg_resolve.h"
#include "svc/msg_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct ipc_desc *const descs[] = {
	&ctl_init_desc,   &ctl_listen_desc, &ctl_channel_desc, &enq_begin_desc,     &enq_rcpts_desc, &enq_body_desc,
	&dlv_job_desc, &dlv_hello_desc,  &dlv_result_desc, &route_desc,       &rcpt_verdict_desc,  &map_query_desc,
	&tool_reply_desc,  &tool_request_desc, &session_start_desc,
};

static void decode(const struct ipc_desc *d, struct span bytes)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	const void *in = ipc_decode(d, bytes, &a, &err);
	struct str again = STR_INIT(1u << 20);

	if (in) {
		/* what was accepted is what the encoder would have written, but for fields of value 0 */
		BUG(ipc_encode(&again, d, in) < 0 || again.n > bytes.n);
	} else {
		BUG(err.kind != ERR_PROTO);
	}
	str_fini(&again);
	arena_fini(&a);
}

static void receive(struct span bytes)
{
	static const struct ipc_ops ops = { .name = "fuzz" };
	struct err err = ERR_INIT;
	struct ipc_msg m;
	struct ipc c;
	int sv[2];

	if (bytes.n > 100000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return;
	BUG(send(sv[0], bytes.p, bytes.n, MSG_DONTWAIT) != (ssize_t)bytes.n && bytes.n);
	close(sv[0]);
	ipc_init(&c, NULL, &ops, NULL);
	ipc_attach(&c, &sv[1]);
	while (ipc_wait(&c, &m, 0, &err) == IPC_OK) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(descs); i++) {
			if (descs[i]->type == m.type)
				decode(descs[i], m.body);
		}
	}
	ipc_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { (const char *)data, n };

	if (n == 0)
		return 0;
	decode(descs[data[0] % ARRAY_LEN(descs)], span_from(all, 1));
	receive(span_from(all, 1));
	return 0;
}
