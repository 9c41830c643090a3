#include <getopt.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/restrict.h"
#include "tools/check.h"
#include "tools/commands.h"

static void check_kernel(struct conf_errors *errors)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 2)
		conf_error(errors,
			   "warning: this kernel has no Landlock of ABI 2 or later; daemons run without that layer");
}

static void check_services(const struct mastercf *m, struct conf_errors *errors)
{
	if (!mastercf_find(m, "smtpd"))
		conf_error(errors, "warning: %s: no service runs smtpd: no mail comes in", m->file);
}

static void check_all(const char *dir, struct conf_errors *errors)
{
	struct mastercf m;
	struct conf main_cf, c;

	(void)!conf_load(&main_cf, dir, errors);
	check_mend(&c, &main_cf);
	if (mastercf_load(&m, dir, &c, errors) == 0)
		check_services(&m, errors);
	restrict_check_all(&c, &m, errors);
	check_tls(&c, &m, errors);
	check_starts(&c, &m, errors);
	check_relaying(&c, &m, errors);
	check_logins(&c, &m, errors);
	check_networks(&c, errors);
	check_tables(&c, &m, errors);
	check_words(&c, errors);
	check_limits(&c, errors);
	check_mailboxes(&c, errors);
	check_domains(&c, errors);
	check_agents(&c, errors);
	check_auth(&c, errors);
	check_users(&c, errors);
	check_kernel(errors);
	mastercf_fini(&m);
	conf_fini(&c);
	conf_fini(&main_cf);
}

static void print_json(struct tool *t, const struct conf_errors *errors)
{
	json_t *wrong = json_array(), *warnings = json_array();
	size_t i;

	for (i = 0; i < errors->n; i++) {
		if (conf_is_warning(errors->v[i]))
			json_array_append_new(warnings, json_string(errors->v[i] + strlen(CONF_WARNING)));
		else
			json_array_append_new(wrong, json_string(errors->v[i]));
	}
	tool_json(t, json_pack("{s:o, s:o}", "errors", wrong, "warnings", warnings));
}

int cmd_check(struct tool *t, int argc, char **argv)
{
	struct conf_errors errors = { 0 };
	bool is_json = false;
	int opt, status;
	size_t i;

	optind = 0;
	opterr = 0;
	while ((opt = getopt(argc, argv, "j")) != -1) {
		if (opt != 'j') {
			fprintf(t->err, "usage: surat check [-j]\n");
			return TOOL_USAGE;
		}
		is_json = true;
	}
	if (optind < argc) {
		fprintf(t->err, "usage: surat check [-j]\n");
		return TOOL_USAGE;
	}
	check_all(t->config_dir, &errors);
	status = conf_errors_wrong(&errors) ? TOOL_FAILED : TOOL_OK;
	if (is_json)
		print_json(t, &errors);
	else
		for (i = 0; i < errors.n; i++)
			fprintf(t->out, "%s\n", errors.v[i]);
	if (!is_json && !errors.n)
		fprintf(t->out, "%s: no errors, no warnings\n", t->config_dir);
	conf_errors_fini(&errors);
	return status;
}
