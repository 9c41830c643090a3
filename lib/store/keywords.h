/* keywords.h: dovecot-keywords, the file of a folder that says which keyword a letter behind ":2," means ("0 $Junk"
 * is 'a') */
#ifndef STORE_KEYWORDS_H
#define STORE_KEYWORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"
#include "store/index.h"

#define KEYWORDS_NAME "dovecot-keywords"
#define KEYWORD_MAX 255                 /* bytes of a name; longer ones are refused */

/* Caller's memory; zeroed is empty. */
struct keywords {
	struct arena arena;
	struct span name[INDEX_KEYWORDS];       /* n 0: free */
	struct index_file seen;
};

/* Reads the file in dir when it is another one than k->seen; a missing or broken file is no error. Blocks. -1 ERR_SYS.
 * Source: keywords.c */
int keywords_read(struct keywords *k, int dir, struct err *err) WARN_UNUSED;

/* Dovecot changes the file under UIDLIST_LOCK, so it is taken to add a keyword. HELD: the caller has it. */
enum keywords_how { KEYWORDS_KNOWN, KEYWORDS_ADD, KEYWORDS_ADD_HELD };

/* The number of a keyword (ASCII case-insensitive), added to the file, durably, when it is new and how says so. -1: there is none, or no letter is free, or the name is no atom (err kind ERR_PERM), or
 * ERR_SYS. Source: keywords.c */
int keywords_find(struct keywords *k, int dir, struct span name, enum keywords_how how, struct err *err)
	WARN_UNUSED;

/* The flag of a keyword for a letter on its way into dir, added as by keywords_find; 0 when the folder cannot have it:
 * then the letter goes without, as with Dovecot. -1 ERR_SYS, ERR_TEMP. Source: keywords.c */
int keywords_flag(struct keywords *k, int dir, struct span name, enum keywords_how how, uint32_t *flag_r,
		  struct err *err) WARN_UNUSED;

/* The text of the file, for the fuzzer too; format: -1 when out is full. Source: keywords.c */
void keywords_parse(struct keywords *k, struct span text);
int keywords_format(const struct keywords *k, struct str *out) WARN_UNUSED;

/* Idempotent. Source: keywords.c */
void keywords_fini(struct keywords *k);

#endif
