/* nearest.h: the known word that a misspelt one most likely meant */
#ifndef CONF_NEAREST_H
#define CONF_NEAREST_H

#include <stddef.h>

#include "base/str.h"

/* Caller's memory; owns nothing. Words offered must outlive it. */
struct nearest {
	const char *want;
	const char *best;
	size_t distance;
};

/* Starts a search for want, offers one candidate after the other, and asks for the best: NULL when all are too
 * far off to be meant (more than a third of the letters; two of a short word). No error. Source: nearest.c */
void nearest_init(struct nearest *n, const char *want);
void nearest_offer(struct nearest *n, const char *word);
const char *nearest_get(const struct nearest *n);

/* "; did you mean 'x'?" or "", into *out (reset first); returns out->p. Source: nearest.c */
const char *nearest_hint(const struct nearest *n, struct str *out);

#endif
