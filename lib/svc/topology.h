/* topology.h: the one table of programs and of the channels between them; master makes what stands here */
#ifndef SVC_TOPOLOGY_H
#define SVC_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

enum channel_kind { CHAN_NONE, CHAN_RESOLVE, CHAN_ANVIL, CHAN_AUTH, CHAN_TICKET, CHAN_QUEUE, CHAN_DELIVER, CHAN_SESSION,
		    CHAN_PAM, CHAN_KINDS };

struct program {
	const char *name;               /* = binary in libexec, log name, man page */
	const char *binary;             /* when it differs from name (auth-pam) */
	const char *user;               /* the account it ends up with under root; NULL stays root */
	bool is_per_core;               /* a worker per core; the others run once */
	bool is_wanted_by_listener;     /* runs only while a master.cf row of this command exists */
};

struct channel {
	enum channel_kind kind;
	const char *client;             /* asks */
	const char *server;             /* answers */
};

extern const struct program topology_programs[];
extern const size_t topology_n_programs;
extern const struct channel topology_channels[];
extern const size_t topology_n_channels;

/* The row of that name, or NULL. Source: topology.c */
const struct program *topology_program(const char *name);

/* "queue", "resolve", …: for log lines and the documentation. Source: topology.c */
const char *topology_channel_name(enum channel_kind kind);

#endif
