#include "store/maildir_name.h"

#include "store/index.h"

static const struct {
	char letter;
	uint32_t flag;
} letters[] = {
	{ 'D', INDEX_DRAFT }, { 'F', INDEX_FLAGGED }, { 'R', INDEX_ANSWERED }, { 'S', INDEX_SEEN }, { 'T', INDEX_DELETED },
};

struct span maildir_name_base(struct span name)
{
	struct span base, rest;

	span_cut(name, ':', &base, &rest);
	return base;
}

/* Letters, and what follows them behind a comma. */
static struct span info_of(struct span name, struct span *tail_r)
{
	struct span base = maildir_name_base(name), info = span_from(name, base.n), flags;

	*tail_r = SPAN_NULL;
	if (!span_starts(info, ":2,"))
		return SPAN_NULL;
	span_cut(span_from(info, 3), ',', &flags, tail_r);
	return flags;
}

static uint32_t flag_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return (uint32_t)INDEX_KEYWORD << (c - 'a');
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].letter == c)
			return letters[i].flag;
	return 0;
}

uint32_t maildir_name_flags(struct span name)
{
	struct span tail, info = info_of(name, &tail);
	uint32_t flags = 0;

	for (size_t i = 0; i < info.n; i++)
		flags |= flag_of(info.p[i]);
	return flags;
}

int maildir_name_make(char out[NAME_MAX + 1], struct span name, uint32_t flags)
{
	struct span base = maildir_name_base(name), tail, info = info_of(name, &tail);
	bool has[256] = { false };
	size_t n = base.n + 3;

	for (size_t i = 0; i < info.n; i++)
		has[(unsigned char)info.p[i]] = flag_of(info.p[i]) == 0;
	for (unsigned c = 'A'; c <= 'z'; c++)
		has[c] = has[c] || (flag_of((char)c) & flags);
	for (unsigned c = 0; c < 256; c++)
		n += has[c];
	if (n + (tail.n ? tail.n + 1 : 0) > NAME_MAX)
		return -1;
	memcpy(out, base.p, base.n);
	memcpy(out + base.n, ":2,", 3);
	out += base.n + 3;
	for (unsigned c = 0; c < 256; c++)
		if (has[c])
			*out++ = (char)c;
	if (tail.n) {
		*out++ = ',';
		memcpy(out, tail.p, tail.n);
		out += tail.n;
	}
	*out = '\0';
	return 0;
}
