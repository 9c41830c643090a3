/* surat queue: list, show, retry, hold, release, delete. Asks qmgr over its socket; ordinary users may list and retry,
 * the rest is for root and the user that runs the suite. The table is laid out as Postfix's mailq, -j prints a JSON
 * object a line as postqueue -j. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/utf8.h"
#include "conf/params.h"
#include "store/queue.h"
#include "svc/msg_admin.h"
#include "tools/commands.h"

#define ANSWER_MS 60000

struct listing {
	struct tool *t;
	bool is_json;
	uint64_t count, bytes;
	struct str rest;                /* of a row that the next frame completes */
};

static void no_loss(void *arg, struct ipc *c, const struct err *why)
{
}

static const struct ipc_ops ops = { "queue", NULL, 0, no_loss, NULL };

static int connect_to(struct tool *t, struct ipc *c)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct conf conf = { 0 };
	struct arena a = { 0 };
	struct global_conf global;
	struct err err = ERR_INIT;
	int fd = -1, rc = tool_load(t, "queue", &conf);

	if (rc == 0)
		rc = global_conf_read(&global, &conf, &a, &err);
	if (rc < 0 && err.kind != ERR_NONE)
		tool_fail(t, "queue", "%s", err.msg);
	if (rc == 0 && (size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" ADMIN_SOCKET, global.run_directory) >=
		       sizeof(sa.sun_path))
		rc = -1;
	if (rc == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&sa, sizeof(sa));
		if (rc < 0) {
			tool_fail(t, "queue", "cannot reach the queue manager at %s: %s; is the suite running?",
				  sa.sun_path,
				  strerrordesc_np(errno));
			if (fd >= 0)
				close(fd);
		}
	}
	arena_fini(&a);
	conf_fini(&conf);
	if (rc < 0)
		return -1;
	ipc_init(c, NULL, &ops, NULL);
	ipc_attach(c, &fd);
	return 0;
}

static int lost(struct tool *t, const struct err *err)
{
	return tool_fail(t, "queue", "%s", err->kind != ERR_NONE ? err->msg :
			 "the queue manager refused; only root and the owner of the queue may see that");
}

/* ---- list ---- */

static void put_clean(FILE *out, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		fputc(c < 32 || c == 127 ? '?' : c, out);
	}
}

static void put_json(FILE *out, struct span s)
{
	size_t i, n;

	fputc('"', out);
	for (i = 0; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = utf8_len(s.p + i, s.n - i);
		if (n == 0) {
			fputs("\\ufffd", out);
			n = 1;
		} else if (c == '"' || c == '\\') {
			fputc('\\', out);
			fputc(c, out);
		} else if (c < 32 || c == 127) {
			fprintf(out, "\\u%04x", c);
		} else {
			fwrite(s.p + i, 1, n, out);
		}
	}
	fputc('"', out);
}

static void format_time(char buf[32], uint64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(buf, 32, "%a %b %e %H:%M:%S", &tm))
		snprintf(buf, 32, "?");
}

/* Recipients with the same words stand under them once, as Postfix does it. */
static void print_rcpts(FILE *out, const struct queue_msg *m)
{
	struct span said = SPAN_NULL;
	size_t i;

	for (i = 0; i < m->n_rcpts; i++) {
		const struct queue_rcpt *r = &m->rcpts[i];

		if (r->state != QUEUE_WAITING)
			continue;
		if (r->text.n && !span_eq(r->text, said)) {
			said = r->text;
			fprintf(out, "%*s(", r->text.n > 74 ? 0 : (int)(76 - r->text.n), "");
			put_clean(out, r->text);
			fputs(")\n", out);
		}
		fprintf(out, "%*s", 42, "");
		put_clean(out, queue_rcpt_name(r));
		fputc('\n', out);
	}
	fputc('\n', out);
}

static void print_table_row(struct listing *l, const struct queue_msg *m, bool is_active)
{
	FILE *out = l->t->out;
	char id[QUEUE_ID_LEN + 2], when[32];

	if (l->count == 0)
		fprintf(out, "%-16s %8s %-19s  %s\n", "-Queue ID-", "--Size--", "---Arrival Time----",
			"-Sender/Recipient-------");
	queue_id_print(id, m->id);
	format_time(when, m->arrival_ms);
	/* the mark stands at the id, where programs that read this list look for it */
	snprintf(id + QUEUE_ID_LEN, 2, "%s", m->held ? "!" : is_active ? "*" : "");
	fprintf(out, "%-16s %8llu %-19s  ", id, (unsigned long long)m->size, when);
	if (m->sender.n)
		put_clean(out, m->sender);
	else
		fputs("MAILER-DAEMON", out);
	fputc('\n', out);
	print_rcpts(out, m);
}

static void print_json_row(struct listing *l, const struct queue_msg *m, bool is_active)
{
	FILE *out = l->t->out;
	char id[QUEUE_ID_LEN + 1];
	bool is_first = true;
	size_t i;

	queue_id_print(id, m->id);
	fprintf(out, "{\"queue_name\": \"%s\", \"queue_id\": \"%s\", \"arrival_time\": %llu, \"message_size\": %llu, "
		"\"forced_expire\": false, \"next_attempt\": %llu, \"sender\": ", m->held ? "hold" : is_active ? "active" : "deferred", id,
		(unsigned long long)m->arrival_ms / 1000, (unsigned long long)m->size,
		(unsigned long long)m->due_ms / 1000);
	put_json(out, m->sender);
	fputs(", \"recipients\": [", out);
	for (i = 0; i < m->n_rcpts; i++) {
		const struct queue_rcpt *r = &m->rcpts[i];

		if (r->state != QUEUE_WAITING)
			continue;
		fputs(is_first ? "{\"address\": " : ", {\"address\": ", out);
		is_first = false;
		put_json(out, queue_rcpt_name(r));
		fprintf(out, ", \"attempts\": %u", r->attempts);
		if (r->text.n) {
			fputs(", \"delay_reason\": ", out);
			put_json(out, r->text);
		}
		fputc('}', out);
	}
	fputs("]}\n", out);
}

static void print_row(struct listing *l, const struct adm_row *row, struct span record, struct arena *a)
{
	struct err damaged = ERR_INIT;
	struct queue_msg m;

	if (queue_decode(&m, row->id, record, a, &damaged) < 0) {
		tool_fail(l->t, "queue", "%s", damaged.msg);
		return;
	}
	if (l->is_json)
		print_json_row(l, &m, row->is_active);
	else
		print_table_row(l, &m, row->is_active);
	l->count++;
	l->bytes += m.size;
}

static int print_rows(struct listing *l, struct span data, struct arena *a, struct err *err)
{
	struct adm_row row;

	if (l->rest.n) {
		if (str_add_span(&l->rest, data) < 0)
			return err_set(err, ERR_PROTO, "the queue manager sent a broken list");
		data = str_span(&l->rest);
	}
	while (data.n >= sizeof(row)) {
		memcpy(&row, data.p, sizeof(row));
		if (row.len > data.n - sizeof(row))
			break;
		print_row(l, &row, span_sub(data, sizeof(row), row.len), a);
		data = span_from(data, sizeof(row) + row.len);
		arena_reset(a);
	}
	if (l->rest.n)
		str_drop(&l->rest, l->rest.n - data.n);
	else if (str_add_span(&l->rest, data) < 0)
		return err_set(err, ERR_PROTO, "the queue manager sent a broken list");
	return 0;
}

static void print_sum(const struct listing *l)
{
	if (l->is_json)
		return;
	if (l->count == 0)
		fputs("Mail queue is empty\n", l->t->out);
	else
		fprintf(l->t->out, "-- %llu Kbytes in %llu Request%s.\n", (unsigned long long)(l->bytes + 1023) / 1024,
			(unsigned long long)l->count, l->count == 1 ? "" : "s");
}

static int do_list(struct tool *t, struct ipc *c, bool is_json)
{
	struct listing l = { .t = t, .is_json = is_json, .rest = STR_INIT(ADM_RECORD_MAX + IPC_FRAME_MAX) };
	struct arena rows = { 0 }, frame = { 0 };
	struct err err = ERR_INIT;
	struct ipc_msg m;
	int rc = ipc_send(c, &adm_list_desc, NULL, NULL);

	while (rc == 0) {
		const struct adm_rows *in;

		if (ipc_wait(c, &m, ANSWER_MS, &err) != IPC_OK) {
			rc = -1;
		} else if (m.type == MSG_ADM_DONE) {
			const struct adm_done *d = ipc_decode(&adm_done_desc, m.body, &frame, &err);

			rc = d && d->text.n == 0 ? 1 : d ? err_set(&err, ERR_SYS, "%.*s", SPAN_ARG(d->text)) : -1;
			if (rc == 1 && l.rest.n)
				rc = err_set(&err, ERR_PROTO, "the queue manager sent a broken list");
		} else {
			in = ipc_decode(&adm_rows_desc, m.body, &frame, &err);
			rc = in ? print_rows(&l, in->data, &rows, &err) : -1;
		}
		arena_reset(&frame);
	}
	arena_fini(&rows);
	arena_fini(&frame);
	str_fini(&l.rest);
	if (rc < 0)
		return lost(t, &err);
	print_sum(&l);
	return TOOL_OK;
}

/* ---- show ---- */

static void print_field(FILE *out, const char *name, struct span v)
{
	if (v.n == 0)
		return;
	fprintf(out, "%s: ", name);
	put_clean(out, v);
	fputc('\n', out);
}

static void print_envelope(FILE *out, const struct queue_msg *m, bool is_active)
{
	static const char *const states[] = { "waiting", "sent", "failed", "closed" };
	char id[QUEUE_ID_LEN + 1], when[32];
	size_t i;

	queue_id_print(id, m->id);
	format_time(when, m->arrival_ms);
	fprintf(out, "queue_id: %s\nstate: %s\narrival_time: %s\nmessage_size: %llu\nsender: ", id,
		m->held ? "hold" : is_active ? "active" : "deferred", when, (unsigned long long)m->size);
	put_clean(out, m->sender);
	fputc('\n', out);
	print_field(out, "envelope_id", m->envid);
	print_field(out, "client_name", m->client_name);
	print_field(out, "client_address", m->client_addr);
	print_field(out, "helo_name", m->helo);
	print_field(out, "protocol_name", m->protocol);
	print_field(out, "sasl_method", m->sasl_method);
	print_field(out, "sasl_username", m->sasl_user);
	if (m->due_ms) {
		format_time(when, m->due_ms);
		fprintf(out, "next_attempt: %s\n", when);
	}
	for (i = 0; i < m->n_rcpts; i++) {
		const struct queue_rcpt *r = &m->rcpts[i];

		fputs("recipient: ", out);
		put_clean(out, r->addr);
		fprintf(out, " (%s, attempts %u", states[r->state], r->attempts);
		if (r->text.n) {
			fputs(": ", out);
			put_clean(out, r->dsn);
			fputc(' ', out);
			put_clean(out, r->text);
		}
		fputs(")\n", out);
	}
}

static void copy_file(FILE *out, int fd)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, out);
}

/* Record and body, one after the other, into *rows; 0, or -1. */
static int take_rows(struct ipc *c, struct str *rows, struct err *err)
{
	struct arena frame = { 0 };
	struct ipc_msg m;
	int rc = 0;

	while (rc == 0) {
		const struct adm_rows *in = NULL;

		if (ipc_wait(c, &m, ANSWER_MS, err) != IPC_OK)
			rc = -1;
		else if (m.type == MSG_ADM_DONE)
			rc = 1;
		else if (!(in = ipc_decode(&adm_rows_desc, m.body, &frame, err)))
			rc = -1;
		else if (str_add_span(rows, in->data) < 0)
			rc = err_set(err, ERR_PROTO, "the message is too large to show");
		arena_reset(&frame);
	}
	arena_fini(&frame);
	return rc < 0 ? -1 : 0;
}

static int print_message(struct tool *t, uint64_t id, const struct adm_message *in, struct span rows, int fd)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct queue_msg msg;
	int rc = TOOL_OK;

	if (rows.n != in->record + in->body)
		rc = tool_fail(t, "queue", "the queue manager sent a broken message");
	else if (queue_decode(&msg, id, span_sub(rows, 0, in->record), &a, &err) < 0)
		rc = tool_fail(t, "queue", "%s", err.msg);
	if (rc == TOOL_OK) {
		print_envelope(t->out, &msg, in->is_active);
		fputc('\n', t->out);
		if (fd >= 0)
			copy_file(t->out, fd);
		else
			fwrite(rows.p + in->record, 1, in->body, t->out);
	}
	arena_fini(&a);
	return rc;
}

static int do_show(struct tool *t, struct ipc *c, uint64_t id)
{
	struct adm_show ask = { id };
	struct arena a = { 0 };
	struct str rows = STR_INIT(ADM_RECORD_MAX + IPC_FRAME_MAX);
	struct err err = ERR_INIT;
	struct ipc_msg m = { .fd = -1 };
	const struct adm_message *in = NULL;
	char name[QUEUE_ID_LEN + 1];
	int rc, fd = -1;

	if (ipc_send(c, &adm_show_desc, &ask, NULL) == 0 && ipc_wait(c, &m, ANSWER_MS, &err) == IPC_OK) {
		fd = m.fd;
		m.fd = -1;
		in = ipc_decode(&adm_message_desc, m.body, &a, &err);
	}
	if (!in || take_rows(c, &rows, &err) < 0) {
		rc = lost(t, &err);
	} else if (!in->found) {
		queue_id_print(name, id);
		rc = tool_fail(t, "queue", "there is no such message: %s", name);
	} else {
		rc = print_message(t, id, in, str_span(&rows), fd);
	}
	if (fd >= 0)
		close(fd);
	str_fini(&rows);
	arena_fini(&a);
	return rc;
}

/* ---- act ---- */

static int do_act(struct tool *t, struct ipc *c, enum adm_what what, const char *arg, uint64_t id)
{
	static const char *const words[] = { "scheduled for delivery", "put on hold", "released", "deleted" };
	struct adm_act ask = { what, id };
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct ipc_msg m;
	const struct adm_done *in = NULL;
	int rc = TOOL_OK;

	if (ipc_send(c, &adm_act_desc, &ask, NULL) == 0 && ipc_wait(c, &m, UINT64_MAX, &err) == IPC_OK)
		in = ipc_decode(&adm_done_desc, m.body, &a, &err);
	if (!in)
		rc = lost(t, &err);
	else if (in->text.n)
		rc = tool_fail(t, "queue", "%.*s", SPAN_ARG(in->text));
	else if (in->count == 0 && id)
		rc = tool_fail(t, "queue", "%s: there is no such message, or nothing to do for it", arg);
	else if (!t->is_quiet)
		fprintf(t->err, "%llu message%s %s\n", (unsigned long long)in->count, in->count == 1 ? "" : "s",
			words[what]);
	arena_fini(&a);
	return rc;
}

static int usage(struct tool *t)
{
	fputs("usage: surat queue list [-j]\n"
	      "       surat queue show ID\n"
	      "       surat queue retry|hold|release|delete ID...|ALL\n", t->err);
	return TOOL_USAGE;
}

static bool was_named(char **argv, int n, uint64_t id)
{
	uint64_t other;

	while (n-- > 0)
		if (queue_id_parse(span_z(argv[n]), &other) == 0 && other == id)
			return true;
	return false;
}

static int act_on_all(struct tool *t, struct ipc *c, enum adm_what what, int argc, char **argv)
{
	int i, rc = TOOL_OK;

	for (i = 0; i < argc; i++) {
		uint64_t id = 0;

		if (strcmp(argv[i], "ALL") != 0 && (queue_id_parse(span_z(argv[i]), &id) < 0 || id == 0))
			rc = tool_fail(t, "queue", "%s is not a queue id", argv[i]);
		else if (!was_named(argv, i, id) && do_act(t, c, what, argv[i], id) != TOOL_OK)
			rc = TOOL_FAILED;
	}
	return rc;
}

int cmd_queue(struct tool *t, int argc, char **argv)
{
	static const char *const acts[] = { "retry", "hold", "release", "delete" };
	const char *verb = argc > 1 ? argv[1] : "list";
	bool is_json = argc > 2 && strcmp(argv[2], "-j") == 0;
	uint64_t id;
	struct ipc c;
	int rc = -1;
	size_t i;

	if (strcmp(verb, "-j") == 0 && argc == 2) {
		verb = "list";
		is_json = true;
	}
	if (strcmp(verb, "show") == 0 && argc != 3)
		return usage(t);
	if (strcmp(verb, "show") == 0 && queue_id_parse(span_z(argv[2]), &id) < 0)
		return tool_fail(t, "queue", "%s is not a queue id", argv[2]);
	for (i = 0; i < ARRAY_LEN(acts) && strcmp(verb, acts[i]) != 0; i++)
		continue;
	if (strcmp(verb, "list") == 0 ? argc > 2 + is_json : strcmp(verb, "show") != 0 &&
	    (i == ARRAY_LEN(acts) || argc < 3))
		return usage(t);
	if (connect_to(t, &c) < 0)
		return TOOL_FAILED;
	if (strcmp(verb, "list") == 0)
		rc = do_list(t, &c, is_json);
	else if (strcmp(verb, "show") == 0)
		rc = do_show(t, &c, id);
	else
		rc = act_on_all(t, &c, (enum adm_what)i, argc - 2, argv + 2);
	ipc_close(&c);
	return rc;
}
