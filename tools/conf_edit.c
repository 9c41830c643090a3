#include "tools/conf_edit.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/replace.h"
#include "io/write_all.h"

/* The line with its newline. */
static struct span take_line(struct span *text)
{
	ptrdiff_t end = span_chr(*text, '\n');
	struct span line = span_sub(*text, 0, end < 0 ? text->n : (size_t)end + 1);

	*text = span_from(*text, line.n);
	return line;
}

static bool defines(struct span line, struct span name)
{
	struct span left, right;

	return line.n && !isspace((unsigned char)line.p[0]) && span_cut(line, '=', &left, &right) &&
	       span_eq(span_trim(left), name);
}

static bool goes_on(struct span line)
{
	struct span text = span_trim(line);

	return line.n && isspace((unsigned char)line.p[0]) && text.n && text.p[0] != '#';
}

int conf_edit_text(struct str *out, struct span text, struct span name, const char *value, bool as_comment)
{
	bool is_done = false, is_inside = false;
	struct span line;
	int rc = 0;

	while (rc == 0 && text.n) {
		line = take_line(&text);
		if (defines(line, name)) {
			is_inside = true;
			if (value && !is_done)
				rc = str_addf(out, "%.*s = %s\n", SPAN_ARG(name), value);
			is_done = true;
		} else if (!is_inside || !goes_on(line)) {
			/* Empty lines and comments do not end a definition, but they are not ours to take. */
			if (line.n && !isspace((unsigned char)line.p[0]) && line.p[0] != '#')
				is_inside = false;
			rc = str_add_span(out, line);
			continue;
		}
		if (rc == 0 && !value && as_comment)
			rc = str_addc(out, '#') < 0 ? -1 : str_add_span(out, line);
	}
	if (rc == 0 && value && !is_done) {
		if (out->n && out->p[out->n - 1] != '\n')
			rc = str_addc(out, '\n');
		if (rc == 0)
			rc = str_addf(out, "%.*s = %s\n", SPAN_ARG(name), value);
	}
	return rc;
}

int conf_edit_write(const char *path, struct span text, struct err *err)
{
	struct str temp = STR_INIT(4096);
	struct stat st;
	int fd = -1, rc = -1;

	if (str_addf(&temp, "%s.XXXXXX", path) < 0 || stat(path, &st) < 0 || (fd = mkostemp(temp.p, O_CLOEXEC)) < 0)
		err_sys(err, "cannot make a file beside %s", path);
	else if (fchmod(fd, st.st_mode & 07777) < 0 || (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0) ||
	         write_all(fd, text) < 0 || fsync(fd) < 0)
		err_sys(err, "cannot write %s", path);
	else
		rc = replace_commit(temp.p, path, err);
	if (fd >= 0) {
		close(fd);
		if (rc < 0)
			unlink(temp.p);
	}
	str_fini(&temp);
	return rc;
}
