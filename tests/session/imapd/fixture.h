/* fixture.h: IMAP sessions over a Maildir of their own in /tmp, for transcripts and the fuzzer */
#ifndef TESTS_IMAPD_FIXTURE_H
#define TESTS_IMAPD_FIXTURE_H

#include <sys/types.h>

#include "conf/params.h"
#include "imapd/session.h"
#include "svc/child_start.h"

struct fixture {
	char root[64], mail[80];        /* the Maildir is root/Maildir */
	unsigned n_letters;             /* for names of files */
	struct imapd_conf conf;
	struct child_start start;
	uint64_t quota, quota_messages; /* of the store, bytes and count; 0: none */
	struct arena arena;
};

/* Makes the Maildir, empty. */
void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);

/* Takes away all letters, folders and indexes. */
void fixture_empty(struct fixture *f);

/* A letter "Subject: SUBJECT" in new/ (flags NULL) or cur/ (":2,FLAGS") of a folder as on disk: "" or ".Sent". */
void fixture_letter(struct fixture *f, const char *folder, const char *flags, const char *subject);

/* Serves fd in a new process whose log goes to log_fd; both are taken. in_parts: the session is parked after every command,
 * if it can be. */
pid_t fixture_serve(struct fixture *f, int fd, int log_fd, bool in_parts);

/* Serves input in this process, chunk bytes at a time; what the client would read is appended to output. */
void fixture_replay(struct fixture *f, struct span input, size_t chunk, struct str *output);

#endif
