/* exchange.h: one SASL exchange in a worker: libsasl2's server with our stores behind it
 *
 * PLAIN and LOGIN give name and password, which passdb_check tries after libsasl2 is done; CRAM-MD5 and SCRAM get their
 * verifier through an auxiliary property plugin. Where there is none they get one that nothing matches, so that an
 * unknown name fails at the same step and with the same words as a wrong password.
 */
#ifndef AUTH_EXCHANGE_H
#define AUTH_EXCHANGE_H

#include "auth/msg_work.h"
#include "auth/passdb.h"

#define EXCHANGE_INPUT_MAX 9216         /* bytes of one response */
#define EXCHANGE_STEPS_MAX 8

struct exchange;

/* Loads the mechanisms' modules and adds our plugin; no configuration file and no foreign store is read. Once per
 * process, before rights are given away; forked workers inherit it. -1 ERR_CONF when a module is missing.
 * Source: exchange.c */
int exchange_init(struct err *err) WARN_UNUSED;

/* The name as libsasl2 and clients write it if the mechanism is one of ours and installed, else NULL. Any case.
 * Source: exchange.c */
const char *exchange_mech(struct span name);

/* start is copied. Never NULL. seed: secret text for the verifiers of unknown names. Source: exchange.c */
struct exchange *exchange_new(struct passdb_chain *c, const char *seed, const struct work_start *start);

/* The next step; input of the first is start's initial response. Fills *out_r, whose spans live until the next call.
 * After any status but WORK_CONTINUE and WORK_PAM only exchange_free may follow. Blocks for hashes and files.
 * Source: exchange.c */
void exchange_start(struct exchange *x, const struct work_start *start, struct work_answer *out_r);
void exchange_step(struct exchange *x, struct span input, struct work_answer *out_r);
void exchange_resume(struct exchange *x, enum passdb_rc pam, struct work_answer *out_r);

/* Wipes and frees; takes NULL. Source: exchange.c */
void exchange_free(struct exchange *x);

#endif
