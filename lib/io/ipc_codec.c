#include <string.h>

#include "io/ipc.h"

#define FIELD_HEAD 6u           /* u16 tag, u32 length */
#define LIST_MAX 65536u

static const struct span *str_at(const void *in, const struct ipc_field *f)
{
	return (const struct span *)(const void *)((const char *)in + f->offset);
}

static uint64_t u64_at(const void *in, const struct ipc_field *f)
{
	uint64_t v;

	memcpy(&v, (const char *)in + f->offset, sizeof(v));
	return v;
}

static const struct ipc_list *list_at(const void *in, const struct ipc_field *f)
{
	return (const struct ipc_list *)(const void *)((const char *)in + f->offset);
}

static int put_field(struct str *out, size_t tag, const void *p, size_t n)
{
	uint16_t t = (uint16_t)tag;
	uint32_t len = (uint32_t)n;
	char *to = str_room(out, FIELD_HEAD + n);

	if (!to)
		return -1;
	memcpy(to, &t, 2);
	memcpy(to + 2, &len, 4);
	if (n)
		memcpy(to + FIELD_HEAD, p, n);
	str_grew(out, FIELD_HEAD + n);
	return 0;
}

static int put_list(struct str *out, size_t tag, const struct ipc_desc *sub, const struct ipc_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		size_t start = out->n;
		uint32_t len;

		if (put_field(out, tag, NULL, 0) < 0 || ipc_encode(out, sub, (const char *)l->v + i * sub->size) < 0)
			return -1;
		len = (uint32_t)(out->n - start - FIELD_HEAD);
		memcpy(out->p + start + 2, &len, 4);
	}
	return 0;
}

int ipc_encode(struct str *out, const struct ipc_desc *d, const void *in)
{
	size_t i;

	for (i = 0; i < d->n_fields; i++) {
		const struct ipc_field *f = &d->fields[i];
		int rc = 0;

		if (f->kind == IPC_U64) {
			uint64_t v = u64_at(in, f);

			if (v)
				rc = put_field(out, i + 1, &v, sizeof(v));
		} else if (f->kind == IPC_STR) {
			struct span s = *str_at(in, f);

			if (s.n)
				rc = put_field(out, i + 1, s.p, s.n);
		} else {
			rc = put_list(out, i + 1, f->sub, list_at(in, f));
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Takes one field from *in; the bounds are checked against what is really there. */
static int next_field(struct span *in, const struct ipc_desc *d, const struct ipc_field **f_r, struct span *value_r,
		      struct err *err)
{
	uint16_t tag;
	uint32_t len;

	if (in->n < FIELD_HEAD)
		return err_set(err, ERR_PROTO, "%s: cut in a field head", d->name);
	memcpy(&tag, in->p, 2);
	memcpy(&len, in->p + 2, 4);
	if (tag == 0 || tag > d->n_fields)
		return err_set(err, ERR_PROTO, "%s: unknown field %u", d->name, tag);
	if (len > in->n - FIELD_HEAD)
		return err_set(err, ERR_PROTO, "%s: field %s longer than the frame", d->name, d->fields[tag - 1].name);
	*f_r = &d->fields[tag - 1];
	*value_r = span_sub(*in, FIELD_HEAD, len);
	*in = span_from(*in, FIELD_HEAD + len);
	return 0;
}

/* Elements of a list follow each other; count them first so that the array is allocated once. */
static size_t count_run(struct span rest, const struct ipc_desc *d, const struct ipc_field *f)
{
	struct err ignored;
	const struct ipc_field *g;
	struct span value;
	size_t n = 0;

	while (rest.n && next_field(&rest, d, &g, &value, &ignored) == 0 && g == f)
		n++;
	return n;
}

static int decode_into(void *out, const struct ipc_desc *d, struct span in, struct arena *a, unsigned depth,
		       struct err *err);

static int take_element(void *out, const struct ipc_desc *d, const struct ipc_field *f, struct span value,
			struct span rest,
			struct arena *a, unsigned depth, struct err *err)
{
	struct ipc_list *l = (struct ipc_list *)(void *)((char *)out + f->offset);

	if (!l->v) {
		size_t n = count_run(rest, d, f) + 1;

		if (n > LIST_MAX || depth > 3)
			return err_set(err, ERR_PROTO, "%s: list %s too long or too deep", d->name, f->name);
		l->v = arena_alloc(a, n * f->sub->size);
	}
	return decode_into((char *)l->v + f->sub->size * l->n++, f->sub, value, a, depth + 1, err);
}

static int decode_into(void *out, const struct ipc_desc *d, struct span in, struct arena *a, unsigned depth,
		       struct err *err)
{
	const struct ipc_field *last = NULL;

	while (in.n) {
		const struct ipc_field *f;
		struct span value;

		if (next_field(&in, d, &f, &value, err) < 0)
			return -1;
		/* the encoder writes fields in order; anything else is not ours, and a list's run must not be torn */
		if (last && (f < last || (f == last && f->kind != IPC_LIST)))
			return err_set(err, ERR_PROTO, "%s: field %s out of order", d->name, f->name);
		last = f;
		if (f->kind == IPC_U64) {
			if (value.n != 8)
				return err_set(err, ERR_PROTO, "%s: field %s is not a number", d->name, f->name);
			memcpy((char *)out + f->offset, value.p, 8);
		} else if (f->kind == IPC_STR) {
			memcpy((char *)out + f->offset, &value, sizeof(value));
		} else if (take_element(out, d, f, value, in, a, depth, err) < 0) {
			return -1;
		}
	}
	return 0;
}

void *ipc_decode(const struct ipc_desc *d, struct span bytes, struct arena *a, struct err *err)
{
	void *out = arena_alloc(a, d->size + 1u);

	return decode_into(out, d, bytes, a, 0, err) < 0 ? NULL : out;
}
