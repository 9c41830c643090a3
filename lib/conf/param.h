/* param.h: what a parameter is: type, default, range; the table itself is generated from conf/params */
#ifndef CONF_PARAM_H
#define CONF_PARAM_H

#include "conf/conf.h"

enum param_type {
	PARAM_STRING,           /* const char *, expanded */
	PARAM_RAW,              /* const char *, as written: for values that name things of a letter ($user, $home) */
	PARAM_FILE,             /* const char *, expanded; a path, without a '<' in front */
	PARAM_ORIGIN,           /* const char *; "/path" stands for the first line of that file */
	PARAM_BOOL,             /* bool */
	PARAM_INT,              /* uint64_t */
	PARAM_SIZE,             /* uint64_t, bytes */
	PARAM_TIME,             /* uint64_t, milliseconds; the field's name ends in _ms */
	PARAM_ENUM,             /* enum NAME; the words in order */
	PARAM_LIST,             /* struct conf_list, expanded, split at commas and white space outside of braces */
	PARAM_MAPS,             /* struct conf_list of "type:name" */
	PARAM_NETWORKS,         /* struct conf_list; files and tables are written out when main.cf is read */
};

/* When a changed value takes effect: for new sessions, at a reload, or only after a restart of the daemon. */
enum param_reload { PARAM_SESSION, PARAM_RELOAD, PARAM_RESTART };

struct param {
	const char *name;
	const char *owner;              /* the stanza's file: "smtpd" */
	const char *def;
	enum param_type type;
	enum param_reload reload;
	uint64_t min, max;              /* of numbers, sizes (bytes) and times (ms) */
	uint64_t unit_ms;               /* what a bare number of a time means */
	const char *const *words;       /* of an enum, NULL at the end */
	const char *range;              /* as in the stanza, for messages */
	size_t offset;                  /* of the field in struct OWNER_conf */
};

/* Sorted by name. Source: params.c (generated) */
extern const struct param param_table[];
extern const size_t param_count;

/* NULL when there is no such parameter. Source: param.c */
const struct param *param_find(const char *name);

/* Names of Postfix and Dovecot that are no parameters here. */
struct param_foreign {
	const char *name;               /* a '*' at either end stands for anything */
	bool is_refused;                /* else it is accepted and has no effect */
	const char *advice;
};

/* NULL when the name is not one of them. Source: param.c */
const struct param_foreign *param_foreign(const char *name);

/* Sorted as in conf/params/foreign.list. Source: params.c (generated) */
extern const struct param_foreign param_foreign_table[];
extern const size_t param_foreign_count;

/* Expands and checks the value of p in c and stores it in *field, whose C type p->type tells. Strings go into a.
 * -1 ERR_CONF names the parameter and, if known, file and line. Source: param.c */
int param_read(const struct param *p, const struct conf *c, void *field, struct arena *a, struct err *err) WARN_UNUSED;

/* All parameters of one owner into its struct; stops at the first that is wrong. Source: param.c */
int param_read_all(const char *owner, void *out_r, const struct conf *c, struct arena *a, struct err *err) WARN_UNUSED;

/* Reads and throws away: for checks. Source: param.c */
int param_check(const struct param *p, const struct conf *c, struct err *err) WARN_UNUSED;

/* "300s", "5m", "1h", "2 days", a bare number in units of unit_ms; "5242880", "5 MB", "50M" (1024s).
 * -1 when it is neither or too large; *out_r then holds nothing. Source: param.c */
int param_time(struct span s, uint64_t unit_ms, uint64_t *out_r) WARN_UNUSED;
int param_size(struct span s, uint64_t *out_r) WARN_UNUSED;

/* Splits at commas and white space outside of braces; the words go into a. Source: param.c */
struct conf_list param_split(struct span s, struct arena *a);

#endif
