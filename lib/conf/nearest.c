#include "conf/nearest.h"

#define LONGEST 64

void nearest_init(struct nearest *n, const char *want)
{
	*n = (struct nearest){ .want = want, .distance = LONGEST };
}

/* Levenshtein's distance with one row; words longer than the row are never near. */
static size_t distance(const char *a, const char *b)
{
	size_t row[LONGEST + 1], na = strlen(a), nb = strlen(b), i, j, diagonal, above;

	if (na > LONGEST || nb > LONGEST)
		return LONGEST;
	for (j = 0; j <= nb; j++)
		row[j] = j;
	for (i = 1; i <= na; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= nb; j++) {
			above = row[j];
			row[j] = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = above;
		}
	}
	return row[nb];
}

void nearest_offer(struct nearest *n, const char *word)
{
	size_t d = distance(n->want, word);

	if (d < n->distance) {
		n->distance = d;
		n->best = word;
	}
}

const char *nearest_get(const struct nearest *n)
{
	size_t n_letters = strlen(n->want), limit = n_letters < 4 ? 1 : n_letters < 9 ? 2 : n_letters / 3;

	return n->best && n->distance <= limit ? n->best : NULL;
}

const char *nearest_hint(const struct nearest *n, struct str *out)
{
	const char *word = nearest_get(n);

	str_reset(out);
	if (word && str_addf(out, "; did you mean '%s'?", word) < 0)
		str_reset(out);
	return out->p;
}
