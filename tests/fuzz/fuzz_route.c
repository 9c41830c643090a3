#include <stdlib.h>
#include <sys/mman.h>

#include "base/attr.h"
#include "base/log.h"
#include "resolve/check.h"
#include "resolve/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct rules *rules;
static struct conf conf;

static void quiet(void *arg, enum log_level level, const char *line)
{
}

static void load(void)
{
	static const char patterns[] = "/^(.*)@(.*)$/ $2/$1/\n";
	static const char text[] =
		"myhostname = mx.example.com\nmyorigin = example.com\nmydestination = localhost, example.com\n"
		"recipient_delimiter = +-\nrelay_domains = relay.example\nalias_database =\n"
		"alias_maps = inline:{{a = b, \"|x\", /f, :include:/i}, b=a, owner-a=c, c=@x}\n"
		"virtual_alias_domains = v.example\nvirtual_alias_maps = inline:{a@v.example=b@v.example, b@v.example=a@v.example,"
		" @old.example=@new.example, {c = c, d@box.example}}\n"
		"virtual_mailbox_domains = box.example\nvirtual_mailbox_base = /v\nvirtual_uid_maps = static:5000\n"
		"virtual_gid_maps = static:5000\nvirtual_mailbox_maps = regexp:/proc/self/fd/%d\n"
		"transport_maps = inline:{x.example=error:5.7.1 no, .y.example=:[z], *=:}\nswap_bangpath = yes\n"
		"allow_percent_hack = yes\nappend_dot_mydomain = yes\n";
	struct str main_cf = STR_INIT(10000);
	struct conf_errors errors = { 0 };
	struct err err = ERR_INIT;
	int fd = memfd_create("patterns", 0);

	log_set_sink(quiet, NULL);
	BUG(write(fd, patterns, sizeof(patterns) - 1) < 0 || str_addf(&main_cf, text, fd) < 0);
	BUG(conf_parse(&conf, "main.cf", str_span(&main_cf), &errors) < 0);
	str_fini(&main_cf);
	rules = rules_new(&conf, NULL, 0, &err);
	BUG(!rules);
}

/* Whatever the address: an accepted one has an answer other than a refusal, and no mailbox lies outside of the base. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span address = { (const char *)data, n };
	struct route_query q = { .address = address, .sender = address };
	struct rcpt_check c = { .address = address };
	struct rcpt_verdict v;
	struct arena a = { 0 };
	struct route out;

	if (!rules)
		load();
	route_get(&out, rules, &q, &a);
	if (out.maildir.n)
		BUG(!span_starts(out.maildir, "/v/") || strstr(out.maildir.p, "/../"));
	check_rcpt(&v, rules, &(struct full){ 0 }, &c, &a);
	BUG(v.status == MSG_OK && out.action == ROUTE_REJECT);
	q.is_final = true;
	route_get(&out, rules, &q, &a);
	arena_fini(&a);
	return 0;
}
