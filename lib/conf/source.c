#include "conf/source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int source_slurp(struct str *out, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;
	char *to;

	if (fd < 0)
		return err_sys(err, "cannot open %s", path);
	do {
		to = str_room(out, out->max - out->n < 65536 ? out->max - out->n : 65536);
		if (!to || out->n == out->max) {
			close(fd);
			return err_set(err, ERR_CONF, "%s is larger than %zu bytes", path, out->max - 1);
		}
		n = read(fd, to, out->max - out->n < 65536 ? out->max - out->n : 65536);
		if (n > 0)
			str_grew(out, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		err_sys(err, "cannot read %s", path);
	close(fd);
	return n < 0 ? -1 : 0;
}

int source_open(struct source *s, const char *path, size_t max, struct err *err)
{
	source_init(s, path, SPAN_NULL);
	str_init(&s->text, max + 1);
	if (source_slurp(&s->text, path, err) < 0)
		return -1;
	s->rest = str_span(&s->text);
	if (span_starts(s->rest, "\xef\xbb\xbf"))      /* what some editors put in front of UTF-8 */
		s->rest = span_from(s->rest, 3);
	if (span_has_nul(s->rest))
		return err_set(err, ERR_CONF, "%s holds a NUL byte: it is not a text file", path);
	return 0;
}

void source_init(struct source *s, const char *file, struct span text)
{
	*s = (struct source){ .file = file, .rest = text, .next = 1 };
	str_init(&s->text, 0);
	str_init(&s->joined, SOURCE_MAX);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* One physical line; *continues tells whether it starts with white space. */
static struct span physical(struct source *s, bool *continues)
{
	struct span line, tail;

	span_cut(s->rest, '\n', &line, &tail);
	s->rest = tail;
	s->next++;
	*continues = line.n && is_blank(line.p[0]);
	return span_trim(line);
}

static bool is_skipped(struct span line)
{
	return !line.n || line.p[0] == '#';
}

bool source_line(struct source *s, struct span *line_r)
{
	struct span line, more, before;
	bool continues;
	unsigned next;

	do {
		if (!s->rest.n)
			return false;
		s->line = s->next;
		line = physical(s, &continues);
	} while (is_skipped(line));
	str_reset(&s->joined);
	while (s->rest.n) {
		before = s->rest;
		next = s->next;
		more = physical(s, &continues);
		if (is_skipped(more))
			continue;
		if (!continues) {
			s->rest = before;
			s->next = next;
			break;
		}
		if (!s->joined.n && str_add_span(&s->joined, line) < 0)
			return false;
		if (str_addc(&s->joined, ' ') < 0 || str_add_span(&s->joined, more) < 0)
			return false;
	}
	*line_r = s->joined.n ? str_span(&s->joined) : line;
	return true;
}

void source_fini(struct source *s)
{
	str_fini(&s->text);
	str_fini(&s->joined);
}
