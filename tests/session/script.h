/* script.h: what the players of transcripts share: files of lines, bytes written out, a run for each size of chunks */
#ifndef SESSION_SCRIPT_H
#define SESSION_SCRIPT_H

#include <stdbool.h>

#include "base/str.h"

/* Calls fn(arg, line) for each line of file without its end, *number being which, until it says false. */
void script_read(const char *file, unsigned *number, bool (*fn)(void *arg, char *line), void *arg);

/* Appends z with \r \n \0 \\ \xHH as the bytes they stand for. */
void script_raw(struct str *out, const char *z);

/* The main of a player: each file at each of n sizes of chunks. */
int script_main(int argc, char **argv, void (*play)(const char *file, size_t chunk), const size_t *chunks, size_t n);

#endif
