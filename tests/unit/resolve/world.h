/* world.h: configurations for the tests of resolve, and answers as one line of text */
#ifndef TEST_RESOLVE_WORLD_H
#define TEST_RESOLVE_WORLD_H

#include "base/log.h"
#include "resolve/check.h"
#include "resolve/route.h"
#include "svc/msg_queue.h"

struct world {
	struct conf conf;
	struct rules *rules;
	struct arena a;
	struct full full;
	uint64_t letter_size;           /* of the letter that RCPT is about */
};

static const char *const world_literals[] = { "[192.0.2.1]", "[IPv6:2001:db8::1]" };

static char world_log[8192];

static void world_sink(void *arg, enum log_level level, const char *line)
{
	size_t n = strlen(world_log);

	(void)arg;
	(void)level;
	snprintf(world_log + n, sizeof(world_log) - n, "%s\n", line);
}

static void world_open(struct world *w, const char *text)
{
	static const char common[] = "myhostname = mx.example.com\nmydomain = example.com\nmyorigin = example.com\n"
				     "mynetworks =\nalias_database =\n";
	struct conf_errors errors = { 0 };
	struct err err = ERR_INIT;
	char *all;

	*w = (struct world){ 0 };
	all = arena_printf(&w->a, "%s%s", common, text);
	world_log[0] = '\0';
	log_set_sink(world_sink, NULL);
	if (conf_parse(&w->conf, "main.cf", span_z(all), &errors) < 0)
		fail_msg("main.cf: %s", errors.v[0]);
	conf_errors_fini(&errors);
	w->rules = rules_new(&w->conf, world_literals, ARRAY_LEN(world_literals), &err);
	if (!w->rules)
		fail_msg("rules: %s", err.msg);
}

static void world_close(struct world *w)
{
	full_fini(&w->full);
	rules_free(w->rules);
	conf_fini(&w->conf);
	arena_fini(&w->a);
	log_set_sink(NULL, NULL);
}

static inline void world_dump_deliver(struct str *s, const struct route *out)
{
	str_addf(s, "deliver %.*s:%.*s <%.*s>", SPAN_ARG(out->transport), SPAN_ARG(out->nexthop),
		 SPAN_ARG(out->address));
	if (out->user.n)
		str_addf(s, " user=%.*s", SPAN_ARG(out->user));
	if (out->extension.n)
		str_addf(s, " ext=%.*s", SPAN_ARG(out->extension));
	if (out->maildir.n)
		str_addf(s, " %.*s %d:%d quota=%d", SPAN_ARG(out->maildir), (int)out->uid, (int)out->gid,
			 (int)out->quota);
}

static inline const char *world_dump(struct world *w, const struct route *out)
{
	static const char *const kinds[] = { "", "|", "file ", ":include:" };
	const struct route_new *v = out->news.v;
	struct str s = STR_INIT(100000);
	const char *z;
	size_t i;

	if (out->action == ROUTE_DELIVER) {
		world_dump_deliver(&s, out);
	} else if (out->action == ROUTE_EXPAND) {
		str_addz(&s, "expand");
		for (i = 0; i < out->news.n; i++)
			str_addf(&s, " <%s%.*s%s%.*s>", kinds[v[i].kind], SPAN_ARG(v[i].address),
				 v[i].via.n ? " via " : "", SPAN_ARG(v[i].via));
		if (out->has_sender)
			str_addf(&s, " from <%.*s>", SPAN_ARG(out->sender));
	} else {
		str_addf(&s, "%s %.*s %.*s", out->action == ROUTE_REJECT ? "reject" : "defer", SPAN_ARG(out->dsn),
			 SPAN_ARG(out->text));
	}
	z = arena_strndup(&w->a, s.p, s.n);
	str_fini(&s);
	return z;
}

static inline struct route world_ask(struct world *w, const char *address, const char *sender, bool is_final)
{
	struct route_query q = { .address = span_z(address), .sender = span_z(sender), .is_final = is_final };
	struct route out;

	route_get(&out, w->rules, &q, &w->a);
	return out;
}

/* What qmgr asks once local has passed the recipient to a transport. */
static inline struct route world_ask_via(struct world *w, const char *address, const char *via)
{
	struct route_query q = { .address = span_z(address), .is_final = 1, .via = span_z(via) };
	struct route out;

	route_get(&out, w->rules, &q, &w->a);
	return out;
}

static inline struct rcpt_verdict world_check(struct world *w, const char *address)
{
	struct rcpt_check q = { .address = span_z(address), .sender = SPAN_LIT("a@b.example"), .has_letter = 1,
				.size = w->letter_size };
	struct rcpt_verdict out;

	check_rcpt(&out, w->rules, &w->full, &q, &w->a);
	return out;
}

#endif
