/* note.h: what a delivered letter leaves for the reader's index: its record, parsed while the bytes were at hand */
#ifndef LOCAL_NOTE_H
#define LOCAL_NOTE_H

#include <stdbool.h>

#include "store/mail_record.h"
#include "store/maildir.h"

#define NOTE_LETTER_MAX (1u << 20)      /* bytes of a letter that are worth a second look */

/* True when somebody keeps an index in that Maildir. Source: note.c */
bool note_is_wanted(const struct maildir *md);

/* The record of m; false for one that is too large, cannot be read or not be decoded here. Lives in a. Source:
 * note.c */
bool note_make(struct arena *a, const struct maildir_msg *m, struct mail_record *r_r);

/* Appends an entry; name is the file's in new/. What does not fit is left out. Source: note.c */
void note_add(struct str *out, struct span name, const struct mail_record *r);

#endif
