/* Records of the queue. A fixed head that the indexes need (version, flags, due), then numbers as LEB128 and strings as
 * length and bytes, all in one order. A field may be added at the end of the envelope or of a recipient under a new
 * version; the reader keeps reading the old ones. Version 2 is version 1 with via at the end of each recipient; a
 * record that needs no via stays one of version 1. */
#include "store/queue_priv.h"


enum { VERSION = 1, VERSION_VIA = 2, HEAD = 10, HEAD_HELD = 1, HEAD_LARGE = 2, MIN_RCPT = 18 };

static int put_num(struct str *out, uint64_t v)
{
	unsigned char b[10];
	size_t n = 0;

	do {
		b[n] = (unsigned char)((v & 127) | (v > 127 ? 128 : 0));
		n++;
		v >>= 7;
	} while (v);
	return str_add(out, b, n);
}

static int put_span(struct str *out, struct span s)
{
	return put_num(out, s.n) < 0 || str_add_span(out, s) < 0 ? -1 : 0;
}

static int put_rcpt(struct str *out, const struct queue_rcpt *r, int version)
{
	const uint64_t nums[] = { r->no, r->parent, r->depth, r->attempts, r->kind, r->state, r->notify, r->action,
				  r->is_final };
	const struct span spans[] = { r->addr, r->orig, r->orcpt, r->as_user, r->delivered_to, r->sender, r->dsn,
		r->text,
				      r->mta };
	size_t i;

	for (i = 0; i < ARRAY_LEN(nums); i++) {
		if (put_num(out, nums[i]) < 0)
			return -1;
	}
	for (i = 0; i < ARRAY_LEN(spans); i++) {
		if (put_span(out, spans[i]) < 0)
			return -1;
	}
	return version == VERSION_VIA ? put_span(out, r->via) : 0;
}

static int version_of(const struct queue_msg *m)
{
	size_t i;

	for (i = 0; i < m->n_rcpts; i++) {
		if (m->rcpts[i].via.n)
			return VERSION_VIA;
	}
	return VERSION;
}

void queue_record_set_due(char *record, uint64_t due_ms)
{
	size_t i;

	for (i = 0; i < 8; i++)
		record[2 + i] = (char)(due_ms >> (8 * i));
}

int queue_encode(struct str *out, const struct queue_msg *m)
{
	const uint64_t nums[] = { m->arrival_ms, m->size, m->flags, m->next_no };
	const struct span spans[] = { m->sender, m->envid, m->client_name, m->client_addr, m->helo, m->protocol,
				      m->sasl_method, m->sasl_user };
	int version = version_of(m);
	char head[HEAD] = { (char)version, (char)((m->held ? HEAD_HELD : 0) | (m->large ? HEAD_LARGE : 0)) };
	size_t i;

	queue_record_set_due(head, m->due_ms);
	if (str_add(out, head, sizeof(head)) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(nums); i++) {
		if (put_num(out, nums[i]) < 0)
			return -1;
	}
	for (i = 0; i < ARRAY_LEN(spans); i++) {
		if (put_span(out, spans[i]) < 0)
			return -1;
	}
	if (put_num(out, m->n_rcpts) < 0)
		return -1;
	for (i = 0; i < m->n_rcpts; i++) {
		if (put_rcpt(out, &m->rcpts[i], version) < 0)
			return -1;
	}
	return 0;
}

static int get_num(struct span *in, uint64_t max, uint64_t *v_r)
{
	uint64_t v = 0;
	unsigned shift;
	size_t i = 0;

	for (shift = 0; shift < 64; shift += 7) {
		unsigned char b;

		if (i == in->n)
			return -1;
		b = (unsigned char)in->p[i++];
		if (shift == 63 && b > 1)
			return -1;
		v |= (uint64_t)(b & 127) << shift;
		if (b < 128) {
			*in = span_from(*in, i);
			*v_r = v;
			return v <= max ? 0 : -1;
		}
	}
	return -1;
}

static int get_u32(struct span *in, uint32_t *v_r)
{
	uint64_t v;

	if (get_num(in, UINT32_MAX, &v) < 0)
		return -1;
	*v_r = (uint32_t)v;
	return 0;
}

static int get_u8(struct span *in, uint64_t max, uint8_t *v_r)
{
	uint64_t v;

	if (get_num(in, max, &v) < 0)
		return -1;
	*v_r = (uint8_t)v;
	return 0;
}

static int get_span(struct span *in, struct span *s_r)
{
	uint64_t n;

	if (get_num(in, SIZE_MAX, &n) < 0 || n > in->n)
		return -1;
	*s_r = span_sub(*in, 0, (size_t)n);
	*in = span_from(*in, (size_t)n);
	return 0;
}

static int get_rcpt(struct span *in, struct queue_rcpt *r, int version)
{
	struct span *spans[] = { &r->addr, &r->orig, &r->orcpt, &r->as_user, &r->delivered_to, &r->sender, &r->dsn,
		&r->text,
				 &r->mta };
	size_t i;

	if (get_u32(in, &r->no) < 0 || get_u32(in, &r->parent) < 0 || get_u32(in, &r->depth) < 0 ||
	    get_u32(in, &r->attempts) < 0 || get_u8(in, QUEUE_INCLUDE, &r->kind) < 0 ||
	    get_u8(in, QUEUE_CLOSED, &r->state) < 0 || get_u8(in, 15, &r->notify) < 0 ||
	    get_u8(in, QUEUE_EXPANDED, &r->action) < 0 || get_u8(in, 1, &r->is_final) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(spans); i++) {
		if (get_span(in, spans[i]) < 0)
			return -1;
	}
	return version == VERSION_VIA ? get_span(in, &r->via) : 0;
}

static int get_envelope(struct span *in, struct queue_msg *m, uint64_t *n_rcpts_r)
{
	struct span *spans[] = { &m->sender, &m->envid, &m->client_name, &m->client_addr, &m->helo, &m->protocol,
				 &m->sasl_method, &m->sasl_user };
	size_t i;

	if (get_num(in, UINT64_MAX, &m->arrival_ms) < 0 || get_num(in, UINT64_MAX, &m->size) < 0 ||
	    get_u32(in, &m->flags) < 0 || get_u32(in, &m->next_no) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(spans); i++) {
		if (get_span(in, spans[i]) < 0)
			return -1;
	}
	return get_num(in, QUEUE_RCPT_MAX, n_rcpts_r);
}

int queue_decode_head(struct span record, uint64_t *due_ms_r, bool *held_r, bool *large_r)
{
	uint64_t due = 0;
	size_t i;

	if (record.n < HEAD || (record.p[0] != VERSION && record.p[0] != VERSION_VIA))
		return -1;
	for (i = 0; i < 8; i++)
		due |= (uint64_t)(unsigned char)record.p[2 + i] << (8 * i);
	*due_ms_r = due;
	*held_r = record.p[1] & HEAD_HELD;
	*large_r = record.p[1] & HEAD_LARGE;
	return 0;
}

int queue_decode(struct queue_msg *m_r, uint64_t id, struct span record, struct arena *a, struct err *err)
{
	struct queue_msg m = { .id = id };
	struct span in;
	uint64_t n, i;
	char name[QUEUE_ID_LEN + 1];

	if (queue_decode_head(record, &m.due_ms, &m.held, &m.large) < 0)
		goto damaged;
	record = arena_span(a, record);
	in = span_from(record, HEAD);
	if (get_envelope(&in, &m, &n) < 0 || n > in.n / MIN_RCPT)
		goto damaged;
	m.rcpts = arena_alloc(a, (size_t)(n ? n : 1) * sizeof(*m.rcpts));
	m.cap_rcpts = (size_t)n;
	for (i = 0; i < n; i++) {
		struct queue_rcpt *r = &m.rcpts[i];

		/* Numbers name mailbox files: one that came twice would let one delivery hide another. */
		if (get_rcpt(&in, r, record.p[0]) < 0 || r->no >= m.next_no || (i > 0 && r->no <= r[-1].no))
			goto damaged;
		m.n_rcpts++;
		m.rcpt_bytes += queue_rcpt_bytes(r);
	}
	if (in.n != 0)
		goto damaged;
	*m_r = m;
	return 0;
damaged:
	queue_id_print(name, id);
	return err_dsn(err, ERR_PERM, "5.3.0", "queue record of %s is damaged (%zu bytes)", name, record.n);
}

struct queue_rcpt *queue_add_rcpt(struct queue_msg *m, struct arena *a)
{
	struct queue_rcpt *r;

	BUG(m->n_rcpts >= QUEUE_RCPT_MAX);
	if (m->n_rcpts == m->cap_rcpts) {
		size_t cap = m->cap_rcpts ? m->cap_rcpts * 2 : 2;

		r = arena_alloc(a, cap * sizeof(*r));
		if (m->n_rcpts)
			memcpy(r, m->rcpts, m->n_rcpts * sizeof(*r));
		m->rcpts = r;
		m->cap_rcpts = cap;
	}
	r = &m->rcpts[m->n_rcpts++];
	*r = (struct queue_rcpt){ .no = m->next_no, .parent = m->next_no };
	m->next_no++;
	return r;
}
