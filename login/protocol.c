#include "login/protocol.h"

#include <string.h>

#include "base/attr.h"

static const struct protocol *const all[] = { &pop3_protocol, &imap_protocol };

const struct protocol *protocol_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(all); i++) {
		size_t n = strlen(all[i]->name);

		if (strncmp(name, all[i]->name, n) == 0 && (name[n] == '\0' || strcmp(name + n, "s") == 0))
			return all[i];
	}
	return NULL;
}

bool protocol_is_implicit_tls(const char *name)
{
	return strcmp(name, "pop3s") == 0 || strcmp(name, "imaps") == 0;
}

bool protocol_is_http(struct span verb)
{
	static const char *const verbs[] = { "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE",
						"PATCH", "PRI" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(verbs); i++) {
		if (span_eqz(verb, verbs[i]))
			return true;
	}
	return false;
}
