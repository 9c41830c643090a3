/* map_rules.h: what pcre, regexp and cidr tables share: ordered rules with if and endif, read again when they change */
#ifndef CONF_MAP_RULES_H
#define CONF_MAP_RULES_H

#include "base/arena.h"
#include "conf/map_types.h"
#include "conf/source.h"

#define MAP_RULES_MAX 1000000
#define MAP_RULES_DEPTH 64

struct map_rule {
	void *pattern;          /* what compile made; NULL for an if that is wrong: its block is skipped */
	const char *result;     /* NULL for an if */
	size_t skip;            /* of an if: the rule behind its endif */
	bool is_negated;
};

/* What a type brings. compile: takes the pattern at the front of *text, leaves the rest there. match: 1, 0, or -1 with
 * err. result: appends the result of a rule that matched just now; NULL for the plain text. */
struct map_rules_ops {
	void *(*compile)(struct span *text, bool negated, bool has_result, struct arena *a, struct err *err);
	int (*match)(void *pattern, const void *key, struct err *err);
	int (*result)(const struct map_rule *rule, const void *key, struct str *value, struct err *err);
};

struct map_rules {
	const struct map_rules_ops *ops;
	struct arena arena;             /* owns patterns, by its hooks */
	struct map_rule *v;
	size_t n;
	struct map_file file;
	char *path;
};

/* Reads the rules of path, or of "{{rule}, {rule}}" itself; on -1 r still needs map_rules_free. A rule of a file
 * that is wrong is left out, as in Postfix, with a warning in the log that has file and line. Source: map_rules.c */
int map_rules_open(struct map_rules **r_r, const struct map_rules_ops *ops, const char *path, struct err *err)
	WARN_UNUSED;

/* Reads the file again if it was replaced, then takes the first rule that matches key. Source: map_rules.c */
enum map_rc map_rules_get(struct map_rules *r, const void *key, struct str *value, struct err *err);

/* Takes NULL. Source: map_rules.c */
void map_rules_free(struct map_rules *r);

#endif
