#include "svc/topology.h"

#include <string.h>

#include "base/attr.h"

const struct program topology_programs[] = {
	{ "resolve", NULL, "_surat-resolve", false, false },
	{ "anvil", NULL, "_surat-anvil", false, false },
	{ "auth-pam", "auth", NULL, false, false },
	{ "auth", NULL, "_surat-auth", false, false },
	{ "qmgr", NULL, "_surat-queue", false, false },
	{ "local", NULL, NULL, false, false },
	{ "pop3d", NULL, NULL, false, true },
	{ "imapd", NULL, NULL, false, true },
	{ "smtpd", NULL, "_surat-smtpd", true, true },
	{ "login", NULL, "_surat-login", true, true },
};
const size_t topology_n_programs = ARRAY_LEN(topology_programs);

const struct channel topology_channels[] = {
	{ CHAN_RESOLVE, "smtpd", "resolve" },
	{ CHAN_RESOLVE, "qmgr", "resolve" },
	{ CHAN_ANVIL, "smtpd", "anvil" },
	{ CHAN_ANVIL, "login", "anvil" },
	{ CHAN_AUTH, "smtpd", "auth" },
	{ CHAN_AUTH, "login", "auth" },
	{ CHAN_PAM, "auth", "auth-pam" },
	{ CHAN_TICKET, "pop3d", "auth" },
	{ CHAN_TICKET, "imapd", "auth" },
	{ CHAN_QUEUE, "smtpd", "qmgr" },
	{ CHAN_DELIVER, "local", "qmgr" },
	{ CHAN_SESSION, "login", "pop3d" },
	{ CHAN_SESSION, "login", "imapd" },
};
const size_t topology_n_channels = ARRAY_LEN(topology_channels);

const struct program *topology_program(const char *name)
{
	size_t i;

	for (i = 0; i < topology_n_programs; i++) {
		if (strcmp(topology_programs[i].name, name) == 0)
			return &topology_programs[i];
	}
	return NULL;
}

const char *topology_channel_name(enum channel_kind kind)
{
	static const char *const names[CHAN_KINDS] = { "none", "resolve", "anvil", "auth", "ticket", "queue", "deliver",
						       "session", "pam" };

	return kind < CHAN_KINDS ? names[kind] : "none";
}
