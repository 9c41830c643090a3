/* conf.h: main.cf as a snapshot of names and values; conf/params.h (generated) turns it into typed structs */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/htab.h"
#include "base/str.h"

/* Where a value came from, for messages: file NULL means the built-in default. */
struct conf_value {
	const char *value;      /* as written, not expanded */
	const char *content;    /* what the file held that the value names (myorigin = /etc/mailname), else NULL */
	const char *file;
	unsigned line;
};

/* The value of a parameter of type list or maps. */
struct conf_list {
	const char **v;
	size_t n;
};

/* Caller's memory. Values live in the arena until conf_fini. A service's overrides are a second layer on top. */
struct conf {
	struct arena arena;
	struct htab values;             /* name -> struct conf_value * */
	const struct conf *below;       /* asked for names that are not here; NULL at the bottom */
	const char *dir;                /* "/etc/surat" */
	unsigned refs;                  /* of one on the heap: see conf_ref */
};

#define CONF_WARNING "warning: "

/* All configuration errors at once; each a complete sentence "file:line: ...". Zeroed is a valid empty list. */
struct conf_errors {
	struct arena arena;
	const char **v;
	size_t n, cap;
	size_t n_warnings;              /* how many of the n are warnings only (they start with CONF_WARNING) */
};

/* How many are more than warnings; whether one of them is not. */
static inline size_t conf_errors_wrong(const struct conf_errors *errors)
{
	return errors->n - errors->n_warnings;
}

static inline bool conf_is_warning(const char *line)
{
	return strncmp(line, CONF_WARNING, sizeof(CONF_WARNING) - 1) == 0;
}

/* Reads DIR/main.cf and checks every name and value against the parameter table: unknown names are errors that
 * name the nearest one. A name that is no parameter is allowed when another value (or master.cf) refers to it.
 * 0 when there is no error (warnings may be there), else -1; c must be finished in both cases. Blocks on files.
 * Source: conf.c */
int conf_load(struct conf *c, const char *dir, struct conf_errors *errors) WARN_UNUSED;

/* A snapshot as bytes ("name = value" lines that conf_parse reads back) and back again; this is how master hands
 * the configuration to daemons that cannot open files. conf_parse initializes c and looks at the syntax only; file is
 * for messages and may be NULL. -1: out's limit; a syntax error. Source: conf.c */
int conf_dump(const struct conf *c, struct str *out) WARN_UNUSED;
int conf_parse(struct conf *c, const char *file, struct span text, struct conf_errors *errors) WARN_UNUSED;

/* A layer with the "-o name=value" options of one service over base; base must outlive it. conf_set adds or replaces
 * one value in c (not below): -1 ERR_CONF for a name that is neither a parameter nor set below; the value itself is
 * checked by conf_check or by X_conf_read. Strings are copied. Source: conf.c */
void conf_overlay(struct conf *c, const struct conf *base);
int conf_set(struct conf *c, const char *name, const char *value, const char *file, unsigned line, struct err *err)
	WARN_UNUSED;

/* Sets a name of the postmaster's own, to which other values refer as $name. Source: conf.c */
void conf_define(struct conf *c, const char *name, const char *value);

/* Reads every value of this layer against the parameter table (at the bottom: every parameter) and adds what is wrong
 * to errors; -1 when anything is. Source: conf.c */
int conf_check(const struct conf *c, struct conf_errors *errors);

/* For a conf on the heap, which begins with refs = 1: one user more; one less, and the last frees it. conf_unref
 * takes NULL and sets *c NULL. Source: conf.c */
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf **c);

/* Frees what c or errors own; idempotent. conf_error adds a line to the list, conf_error_once unless it stands there.
 * Source: conf.c */
void conf_fini(struct conf *c);
void conf_errors_fini(struct conf_errors *errors);
void conf_error(struct conf_errors *errors, const char *fmt, ...) PRINTF(2, 3);
void conf_error_once(struct conf_errors *errors, const char *line);

/* Names that are no parameters and may be referred to as in Postfix: config_directory, mail_version. Source: conf.c */
#define CONF_FACTS 2
extern const char *const conf_facts[CONF_FACTS];

/* The raw value (a default if unset) or NULL for an unknown name. Source: conf.c */
const char *conf_raw(const struct conf *c, const char *name);

/* The entry that decides, from the topmost layer that has one; NULL when the name is not set. Source: conf.c */
const struct conf_value *conf_find(const struct conf *c, const char *name);

/* Is word in the list? Case does not matter, as in all words of parameters. Source: conf.c */
bool conf_list_has(const struct conf_list *l, struct span word);

/* Expands $name, ${name}, ${name?text}, ${name:text}, ${name?{text}:{text}}, $$ into *out (which is reset first).
 * conf_expand_name: the expanded value of one name; for myorigin what its file holds. -1 ERR_CONF for wrong syntax, a
 * loop, a name that is not known. No blocking. Source: conf.c */
int conf_expand(struct str *out, const struct conf *c, const char *value, struct err *err) WARN_UNUSED;
int conf_expand_name(struct str *out, const struct conf *c, const char *name, struct err *err) WARN_UNUSED;

#endif
