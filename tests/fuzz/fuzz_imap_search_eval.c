/* The bytes are a search expression, a line end, and a message: what the evaluator says of it by the index must not
 * differ from what the file says, and neither may crash. */
#include <sys/mman.h>

#include "imapd/search.h"
#include "store/mail_record.h"

static void evaluate(struct arena *a, const struct imap_search *req, struct span text)
{
	struct mailbox_msg v = { .uid = 7, .flags = INDEX_SEEN | INDEX_KEYWORD, .modseq = 9 };
	struct index_msg facts = { .uid = 7, .internal_s = 1700000000, .state = INDEX_HAS_RECORD };
	static struct keywords keywords = { .name = { { "Work", 4 } } };
	struct search_context cx = { .n = 1, .uid_max = 7, .keywords = &keywords, .now_s = 1800000000 };
	struct search_msg m = { .seq = 1, .v = &v };
	struct err err = ERR_INIT;
	struct search_plan plan;
	struct search_file file;
	struct mail_record r;
	enum search_verdict early, late;
	int fd = memfd_create("letter", MFD_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text.p, text.n) == (ssize_t)text.n && mail_record_read(a, fd, &r, &err) == 0 &&
	    search_plan_make(&plan, a, req->root, &cx, &err) == 0) {
		facts.sent_s = r.sent_s == INT64_MIN ? facts.internal_s : r.sent_s;
		facts.size = r.size;
		facts.vsize = r.vsize;
		early = search_eval(plan.root, &m);
		m.facts = &facts;
		m.keys = &r.keys;
		search_file_init(&file, a, plan.leaves, plan.n_leaves);
		BUG(search_file_run(&file, fd, r.body.parts, &err) < 0);
		m.has_file = true;
		late = search_eval(plan.root, &m);
		search_file_fini(&file);
		/* with all that can be known nothing is open, and what was decided stays */
		BUG(late == SEARCH_OPEN || (early != SEARCH_OPEN && early != late));
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { (const char *)data, n }, expression, text;
	struct imap_parse p;
	struct imap_search req;
	struct err err = ERR_INIT;
	struct arena a = { 0 };

	if (n > 65536 || !span_cut(all, '\n', &expression, &text))
		return 0;
	imap_parse_init(&p, &a, expression);
	if (imap_search_parse(&p, IMAP_SEARCH_SEARCH, NULL, &req, &err) == 0)
		evaluate(&a, &req, text);
	arena_fini(&a);
	return 0;
}
