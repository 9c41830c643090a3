#include "proto/access.h"
#include "proto/netlist.h"
#include "proto/restrict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	const char *text = arena_strndup(&a, n ? (const char *)data : "", n);
	struct conf_list words = { &text, 1 };
	struct access_keys keys = { .n = 0 };
	struct restrict_prog prog;
	struct netlist list;
	struct span rest;
	struct err err = ERR_INIT;

	(void)!restrict_compile(&prog, &a, NULL, "x", &words, &err);
	if (netlist_compile(&list, &a, "x", &words, &err) == 0)
		(void)!netlist_match(&list, text, text);
	access_mail_keys(&keys, &a, span_z(text), "+-");
	access_addr_keys(&keys, &a, span_z(text));
	access_domain_keys(&keys, &a, span_z(text));
	(void)!access_parse(span_z(text), &rest);
	arena_fini(&a);
	return 0;
}
