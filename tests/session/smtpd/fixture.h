/* fixture.h: a whole smtpd worker in this process, with resolve, auth, anvil and qmgr played by the test */
#ifndef TESTS_SMTPD_FIXTURE_H
#define TESTS_SMTPD_FIXTURE_H

#include "conf/conf.h"
#include "io/loop.h"
#include "smtpd/server.h"
#include "smtpd/service.h"
#include "svc/topology.h"

enum fixture_peer { FIXTURE_RESOLVE, FIXTURE_AUTH, FIXTURE_ANVIL, FIXTURE_QUEUE, FIXTURE_PEERS };

/* What the fakes do:
 *  resolve  example.com is ours with users tito, iqbal, postmaster and "relay*"; temp@example.com is a temporary failure;
 *           alias.example, box.example and relay.example are classes without users;
 *           tables: "inline:{key=value, ...}" as they stand; 192.0.2.1 is client.example
 *  auth     PLAIN, LOGIN with the password "secret"
 *  anvil    counts and rates from fixture->count and fixture->rate
 *  qmgr     keeps the last message in mail (envelope) and body; refuses with fail_dsn */
struct fixture {
	struct loop loop;
	struct server server;
	struct conf conf;
	struct service *svc;
	struct ipc peers[FIXTURE_PEERS];
	struct str settings;            /* "name = value" lines on top of the defaults */
	struct str log, mail, body;
	size_t n_mails, n_aborts;
	uint64_t count, rate;
	const char *fail_dsn;           /* what qmgr answers instead of OK, NULL for OK */
	char ptr[100];                  /* the client's name; "" for none */
	int large_fd;
	uint64_t next_id;
	uint64_t begin_id;              /* frame id of enq_begin that waits for its answer */
	struct span pem;                /* certificate and key, or empty */
};

void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);

/* Makes the service from settings; -1 with the configuration error. */
int fixture_configure(struct fixture *f, struct err *err);

/* The client's end of a new session from addr (unix_user for a named socket), non-blocking. */
int fixture_connect(struct fixture *f, const char *addr, const char *unix_user);

/* Turns the loop until nothing happens any more. */
void fixture_settle(struct fixture *f);

/* Cuts the channel of a fake; attaches it again. */
void fixture_away(struct fixture *f, enum fixture_peer peer);
void fixture_back(struct fixture *f, enum fixture_peer peer);

/* A self-signed certificate for TLS tests; the caller frees. */
char *fixture_make_pem(void);

#endif
