/* exchange_impl.h: what the two files of an exchange share */
#ifndef AUTH_EXCHANGE_IMPL_H
#define AUTH_EXCHANGE_IMPL_H

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "auth/exchange.h"

struct exchange {
	sasl_conn_t *conn;
	sasl_callback_t callbacks[5];
	struct passdb_chain *chain;
	const char *seed;
	struct arena arena;
	char *mech, *who;               /* who: the client's address, for logs */
	unsigned steps;
	bool is_smtp;
	struct names names;
	struct passdb_user user;
	bool is_found;                  /* user is filled by the property plugin */
	bool had_temp;                  /* a store could not be asked */
	struct str password;            /* PLAIN, LOGIN */
	struct passdb_walk walk;
};

/* sasl_auxprop_init_t: fills in verifiers from the exchange's stores. Source: exchange_auxprop.c */
int exchange_auxprop_init(const sasl_utils_t *utils, int max_version, int *out_version, sasl_auxprop_plug_t **plug,
			  const char *name);

#endif
