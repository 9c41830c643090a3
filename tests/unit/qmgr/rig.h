/* rig.h: the whole queue manager in one loop with a fake smtpd, a fake resolve, fake agents and a fake tool on
 * socketpairs */
#ifndef TESTS_QMGR_RIG_H
#define TESTS_QMGR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmgr/active.h"
#include "qmgr/admin.h"
#include "qmgr/agents.h"
#include "qmgr/enqueue.h"
#include "qmgr/qmgr.h"
#include "svc/msg_admin.h"
#include "svc/msg_deliver.h"
#include "svc/msg_queue.h"

#define JOBS 64

struct seen_job {
	uint64_t qid, job;
	char transport[16], sender[64], rcpts[256], body[400], delivered_to[64];
	uint64_t nos[16];
	size_t n;
	bool is_final, is_passed;
	bool had_fd;
};

struct fake_agent {
	struct ipc ipc;
	struct seen_job jobs[JOBS];
	size_t n;
	bool is_gone;
};

struct rig {
	char dir[64];
	struct loop loop;
	struct qmgr q;
	struct ipc resolve, smtpd;
	struct fake_agent local, spare;
	struct ipc tool;
	struct admin *admin;
	struct adm_done done;
	uint64_t rows, active_rows;
	bool has_done;
	uint64_t shown_size, record_size;
	char full_user[64];             /* the mailbox that resolve has heard is full */
	uint64_t full_size;
	bool is_showing;
	char shown[64];
	uint64_t next_id, ids_left, wanted;
	struct ipc_req reqs[64];
	unsigned accepted, refused;
	char refusal[32];
	char log[32768];
	struct err fatal;
	int large_fd;
	bool smtpd_gone;
};

/* Runs the loop until cond holds; five seconds are a failure. */
#define UNTIL(r, cond)                                                          \
	do {                                                                    \
		uint64_t until_ = uv_hrtime() + 5000000000u;                    \
		while (!(cond)) {                                               \
			if (uv_hrtime() > until_)                               \
				fail_msg("in vain: %s\nlog:\n%s", #cond, (r)->log); \
			loop_turn(&(r)->loop, true);                            \
		}                                                               \
	} while (0)

extern const char rig_body[];

/* cmocka fixtures: *state is a struct rig with a fresh queue in /tmp, one agent "local virtual" with 100 credits,
 * and the captured log. All others fail the test when something goes wrong; none blocks longer than UNTIL. Source:
 * rig.c */
struct route_new rig_fresh(const char *address);
int rig_pair(struct rig *r, struct ipc *ours, const struct ipc_ops *ops, void *arg);
void rig_attach_resolve(struct rig *r);
void rig_attach_smtpd(struct rig *r);
void rig_attach_agent(struct rig *r, struct fake_agent *g);
void rig_hello(struct fake_agent *g, const struct dlv_running *running, size_t n, uint64_t credit);
void rig_start_qmgr(struct rig *r);
void rig_stop_qmgr(struct rig *r);
void rig_turns(struct rig *r, int n);
int rig_set_up(void **state);
int rig_tear_down(void **state);
uint64_t rig_begin(struct rig *r, const char *sender, const char *const *rcpts, size_t n, uint64_t notify);
void rig_end(struct rig *r, uint64_t qid, const char *text, uint64_t size);
uint64_t rig_submit(struct rig *r, const char *sender, const char *rcpt, uint64_t notify);
void rig_report(struct fake_agent *g, const struct seen_job *s, size_t which, enum dlv_status status, const char *dsn,
		const char *text, bool is_lazy);
void rig_sent(struct fake_agent *g, size_t job);
size_t rig_messages(struct rig *r);
size_t rig_held(struct rig *r);
void rig_stored(struct rig *r, uint64_t id, struct queue_msg *m, struct arena *a);
void rig_logged(struct rig *r, const char *what);
void rig_attach_tool(struct rig *r);
void rig_read_on(struct rig *r, int *fd);     /* the tool's end again */
void rig_list(struct rig *r);
uint64_t rig_act(struct rig *r, enum adm_what what, uint64_t id);

#endif
