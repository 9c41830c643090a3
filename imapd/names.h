/* names.h: names of folders between client and store: modified UTF-7, or UTF-8 for those who asked for it */
#ifndef IMAPD_NAMES_H
#define IMAPD_NAMES_H

#include "imapd/session.h"

/* A folder's name in the client's encoding, unquoted; in tick. Source: names.c */
struct span names_wire(struct session *s, struct span folder);

/* As session_folder_in, for a name that will be made: one separator at its end is dropped (RFC 3501 section 6.3.3), and
 * UTF-8 becomes Net-Unicode (RFC 9051 section 5.1). *is_other_r: it is not what the client wrote. Source: names.c */
int names_in_new(struct session *s, struct span name, struct span *folder_r, bool *is_other_r, struct err *err) WARN_UNUSED;

/* "* LIST () "." new ("OLDNAME" ("old"))" for clients of IMAP4rev2 (RFC 9051 section 6.3.9.7); old as they wrote it.
 * -1: the client is gone. Source: names.c */
int names_tell_other(struct session *s, struct span folder, struct span old) WARN_UNUSED;

#endif
