/* attr.h: compiler attributes and the assertion that stays on in release builds */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WARN_UNUSED __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define MALLOC_LIKE __attribute__((malloc, returns_nonnull))

/* Ends the process when cond holds. For broken invariants of our own code only: peer input never reaches one. */
#define BUG(cond)                                               \
	do {                                                    \
		if (__builtin_expect(!!(cond), 0))              \
			bug_fatal(__FILE__, __LINE__, #cond);   \
	} while (0)

/* Writes file, line and condition to stderr and the log, then aborts. Never returns. Source: attr.c */
NORETURN void bug_fatal(const char *file, int line, const char *cond);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
