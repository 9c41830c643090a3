#include "../conf/cm.h"

#include <stdlib.h>
#include <unistd.h>

#include "../conf/tmpdir.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/span.h"
#include "base/str.h"
#include "tests/session/smtpd/fixture.h"
#include "tools/commands.h"

static const struct tool_command commands[] = {
	{ "check", cmd_check, "x" },
	{ "config", cmd_config, "x" },
	{ "map", cmd_map, "x" },
	{ "newaliases", cmd_newaliases, "x" },
};

struct run {
	struct tmpdir dir;
	char *out, *err;
	size_t n_out, n_err;
};

/* Runs "surat WORDS... -c DIR"; words are separated by '|', '@' stands for the directory. */
static int run(struct run *r, const char *words)
{
	char *argv[20] = { (char *)"surat", (char *)"-c", r->dir.path }, text[500], *word, *rest = text;
	struct tool t = { 0 };
	int argc = 3, status;
	size_t n = 0;

	free(r->out);
	free(r->err);
	t.out = open_memstream(&r->out, &r->n_out);
	t.err = open_memstream(&r->err, &r->n_err);
	for (; *words; words++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s", *words == '@' ? 30 : 1,
		                      *words == '@' ? r->dir.path : words);
	while ((word = strsep(&rest, "|")))
		argv[argc++] = word;
	status = tool_run(&t, commands, ARRAY_LEN(commands), argc, argv);
	fclose(t.out);
	fclose(t.err);
	return status;
}

static void expect(struct run *r, const char *words, int status, const char *in_out, const char *in_err)
{
	int got = run(r, words);

	if (got != status || !strstr(r->out, in_out) || !strstr(r->err, in_err))
		fail_msg("%s: %d\nout: %s\nerr: %s", words, got, r->out, r->err);
}

static void begin(struct run *r, const char *main_cf, const char *master_cf)
{
	*r = (struct run){ 0 };
	tmpdir_make(&r->dir);
	tmpdir_write(&r->dir, "main.cf", main_cf);
	tmpdir_write(&r->dir, "master.cf", master_cf);
}

static void end(struct run *r)
{
	free(r->out);
	free(r->err);
	tmpdir_remove(&r->dir);
}

static const char good[] = "myhostname = mx.example.com\nmydestination = $myhostname\nalias_maps =\nalias_database =\n"
                           "mailbox_size_limit = 0\nvirtual_mailbox_limit = 0\n";
static const char rows[] = "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n"
                           " -o smtpd_sasl_auth_enable=yes\n"
                           " -o { smtpd_banner = a b }\ncleanup unix n - y - 0 cleanup\n";

static void test_commands(void **state)
{
	struct run r;

	begin(&r, good, rows);
	expect(&r, "help", TOOL_OK, "newaliases", "");
	expect(&r, "confg", TOOL_USAGE, "", "unknown command 'confg'; did you mean 'config'?");
	expect(&r, "config|-Q", TOOL_USAGE, "", "usage: surat config");
	expect(&r, "map", TOOL_USAGE, "", "usage: surat map");
	expect(&r, "map|-s|a|b", TOOL_USAGE, "", "usage");
	expect(&r, "check|-x", TOOL_USAGE, "", "usage");
	expect(&r, "check|x", TOOL_USAGE, "", "usage");
	expect(&r, "newaliases|--help", TOOL_USAGE, "", "usage: surat newaliases");
	expect(&r, "--version", TOOL_OK, "surat ", "");
	expect(&r, "config|-e", TOOL_USAGE, "", "usage");
	expect(&r, "config|-c", TOOL_USAGE, "", "missing after -c");
	end(&r);
}

static void test_config_shows(void **state)
{
	struct run r;

	begin(&r, good, rows);
	expect(&r, "config|mydestination", TOOL_OK, "mydestination = $myhostname\n", "");
	expect(&r, "config|-x|mydestination", TOOL_OK, "mydestination = mx.example.com\n", "");
	expect(&r, "config|-h|mydomain", TOOL_OK, "example.com\n", "");
	expect(&r, "config|-d|mydestination", TOOL_OK, "mydestination = $myhostname, localhost.$mydomain, localhost\n",
	       "");
	expect(&r, "config|-d", TOOL_OK, "\nsmtpd_timeout = 300s\n", "");
	expect(&r, "config|-n", TOOL_OK, "alias_database =\nalias_maps =\n", "");
	assert_null(strstr(r.out, "smtpd_timeout"));
	assert_null(strstr(r.out, "mydomain"));
	expect(&r, "config|-j|mydomain", TOOL_OK, "\"mydomain\": \"example.com\"", "");
	expect(&r, "config|mail_version", TOOL_OK, "mail_version = ", "");
	expect(&r, "config", TOOL_OK, "\nconfig_directory = /", "");
	expect(&r, "config|smtpd_tiemout", TOOL_FAILED, "", "did you mean 'smtpd_timeout'?");
	expect(&r, "config|-M", TOOL_OK, "    -o { smtpd_banner = a b }\n", "");
	expect(&r, "config|-M|smtp", TOOL_OK, "smtp            inet  n - - - - smtpd\n", "");
	assert_null(strstr(r.out, "submission"));
	assert_string_equal(r.err, "");
	expect(&r, "config|-Mj", TOOL_OK, "\"port\": 587", "");
	end(&r);
}

/* Two values are wrong: each can be mended alone, and no third is let in. */
static void test_config_mends(void **state)
{
	struct run r;

	begin(&r, "smtpd_timeout = soon\nmessage_size_limit = big\n", rows);
	expect(&r, "config|-e|smtpd_helo_required = perhaps", TOOL_FAILED, "", "perhaps");
	expect(&r, "config|-e|smtpd_timeout = 7m", TOOL_OK, "", "");
	expect(&r, "config|-e|message_size_limit = huge", TOOL_FAILED, "", "huge");
	expect(&r, "config|-e|message_size_limit = 20M", TOOL_OK, "", "");
	expect(&r, "config|-n", TOOL_OK, "message_size_limit = 20M\nsmtpd_timeout = 7m\n", "");
	end(&r);
}

static void test_config_edits(void **state)
{
	struct run r;

	begin(&r, good, rows);
	expect(&r, "config|-e|smtpd_timeout = 7m|mydestination=a, b", TOOL_OK, "", "");
	expect(&r, "config|smtpd_timeout|mydestination", TOOL_OK, "smtpd_timeout = 7m\nmydestination = a, b\n", "");
	expect(&r, "config|-e|smtpd_timeout=soon", TOOL_FAILED, "", "'soon' is not a time");
	expect(&r, "config|-e|smtpd_tiemout=1s", TOOL_FAILED, "", "did you mean 'smtpd_timeout'?");
	expect(&r, "config|-e|smtpd_recipient_restrictions=permit_everything", TOOL_FAILED, "", "permit_everything");
	expect(&r, "config|smtpd_timeout=9m", TOOL_OK, "", "");
	expect(&r, "config|smtpd_timeout", TOOL_OK, "smtpd_timeout = 9m\n", "");
	expect(&r, "config|-e|own=a.org|mydestination=$own, b|other=x", TOOL_FAILED, "", "unknown parameter 'other'");
	expect(&r, "config|-e|mydestination=$own, b", TOOL_FAILED, "", "'$own' is not a known name");
	expect(&r, "config|-e|mydestination=$own, b|own=a.org", TOOL_OK, "", "");
	expect(&r, "config|-e|own=c.org", TOOL_OK, "", "");
	expect(&r, "config|-x|mydestination", TOOL_OK, "mydestination = c.org, b\n", "");
	expect(&r, "config|-e|smtpd_restriction_classes=mine|mine=reject", TOOL_OK, "", "");
	expect(&r, "config|-X|smtpd_restriction_classes|mine|mydestination|own", TOOL_OK, "", "");
	expect(&r, "config|-e|smtpd_timeout = 7m|mydestination=a, b", TOOL_OK, "", "");
	expect(&r, "config|-e|biff = no", TOOL_OK, "", "'biff' has no effect");
	expect(&r, "config|biff", TOOL_OK, "biff = no\n", "");
	expect(&r, "config|-X|biff", TOOL_OK, "", "");
	expect(&r, "config|-e|smtpd_milters = inet:x:1", TOOL_FAILED, "", "milters are not built in yet");
	expect(&r, "config|smtpd_milters", TOOL_FAILED, "", "milters are not built in yet");
	expect(&r, "config|-e|smtpd_timeout", TOOL_FAILED, "", "not of the form name=value");
	expect(&r, "config|-e|mail_name=a\nmynetworks = 0.0.0.0/0", TOOL_FAILED, "", "no line breaks");
	expect(&r, "config|smtpd_timeout", TOOL_OK, "smtpd_timeout = 7m\n", "");
	expect(&r, "config|-X|smtpd_timeout", TOOL_OK, "", "");
	expect(&r, "config|-M|smtp", TOOL_OK, "smtp ", "");
	expect(&r, "config|-M|smtp/inet", TOOL_OK, "smtp ", "");
	expect(&r, "config|-M|smtp/unix", TOOL_FAILED, "", "there is no service 'smtp/unix'");
	expect(&r, "config|-M|nosuch", TOOL_FAILED, "", "/master.cf: there is no service 'nosuch'");
	expect(&r, "config|smtpd_timeout|-c|/nowhere", TOOL_FAILED, "", "cannot read /nowhere/main.cf: No such file");
	expect(&r, "config|-d|smtpd_timeout|-c|/nowhere", TOOL_OK, "smtpd_timeout = 300s\n", "");
	expect(&r, "config|smtpd_timeout", TOOL_OK, "smtpd_timeout = 300s\n", "");
	tmpdir_write(&r.dir, "main.cf", "smtpd_timeout = soon\n");
	expect(&r, "config|-e|smtpd_timeout=8m", TOOL_OK, "", "");
	expect(&r, "config|-n", TOOL_OK, "smtpd_timeout = 8m\n", "");
	end(&r);
}

static void test_map(void **state)
{
	struct run r;

	begin(&r, good, rows);
	tmpdir_write(&r.dir, "virtual", "A@x  b\nc d\n");
	tmpdir_write(&r.dir, "aliases", "root: tito\n");
	expect(&r, "map|hash:@/virtual", TOOL_OK, "virtual.lmdb: 2 entries\n", "");
	expect(&r, "map|-q|C|hash:@/virtual", TOOL_OK, "d\n", "");
	expect(&r, "map|-q|nobody|@/virtual", TOOL_FAILED, "", "");
	expect(&r, "map|-q|c|@/virtual|static:y", TOOL_OK, "d\n", "");
	expect(&r, "map|-vq|nobody|@/virtual|static:y", TOOL_OK, "y\n", "");
	expect(&r, "map|-q|-|@/virtual|static:y", TOOL_FAILED, "", "one table");
	expect(&r, "map|-fq|c|@/virtual", TOOL_USAGE, "", "usage: ");
	expect(&r, "map|-q|x|-j|static:y", TOOL_OK, "{\"key\":\"x\",\"value\":\"y\"}\n", "");
	expect(&r, "map|-q|x|fail:y", TOOL_FAILED, "", "surat map: fail:y: this table always fails");
	expect(&r, "map|-s|@/virtual", TOOL_OK, "a@x\tb\nc\td\n", "");
	expect(&r, "map|-s|static:x", TOOL_FAILED, "", "only built tables");
	tmpdir_write(&r.dir, "text", "B x\na y z\nb later\n");
	expect(&r, "map|-s|texthash:@/text", TOOL_OK, "b\tx\na\ty z\n", "");
	assert_null(strstr(r.out, "later"));
	expect(&r, "map|-s|texthash:@/nothing", TOOL_FAILED, "", "cannot open");
	expect(&r, "map|-q|x|hash:@/nothing", TOOL_FAILED, "", "to make it run: surat map");
	expect(&r, "map|@/nothing", TOOL_FAILED, "", "cannot open");
	expect(&r, "map|pcre:@/virtual", TOOL_FAILED, "", "only lmdb:, hash: and btree: are built");
	expect(&r, "map|@/aliases", TOOL_OK, "1 entry", "is this an alias file?");
	expect(&r, "map|-a|@/aliases", TOOL_OK, "1 entry", "");
	expect(&r, "map|-s|@/aliases", TOOL_OK, "root\ttito\n", "");
	end(&r);
}

static void test_newaliases(void **state)
{
	char main_cf[400];
	struct run r;

	begin(&r, good, rows);
	tmpdir_write(&r.dir, "aliases", "root: tito\n");
	snprintf(main_cf, sizeof(main_cf), "alias_database = hash:%s\nalias_maps = $alias_database\n", r.dir.file);
	tmpdir_write(&r.dir, "main.cf", main_cf);
	expect(&r, "newaliases", TOOL_OK, "aliases.lmdb: 1 entry\n", "");
	expect(&r, "map|-q|ROOT|@/aliases", TOOL_OK, "tito\n", "");
	tmpdir_write(&r.dir, "aliases", "root: iqbal\n");
	expect(&r, "map|@/aliases", TOOL_OK, "1 entry", "");
	expect(&r, "map|-q|root|@/aliases", TOOL_OK, "iqbal\n", "");
	end(&r);
}

static const struct {
	const char *label, *main_cf, *master_cf;
	int status;
	const char *message;
} checks[] = {
	{ "unknown name", "mydestnation = a\n", "", TOOL_FAILED,
	  "main.cf:1: unknown parameter 'mydestnation'; did you mean" },
	{ "both files at once", "mydestnation = a\n", "smtp inet n - y - - smptd\n", TOOL_FAILED,
	  "master.cf:1: unknown command" },
	{ "table missing", "alias_maps = hash:/nowhere/a\n", rows, TOOL_OK, "warning: " },
	{ "table type", "alias_maps = hsah:/nowhere/a\n", rows, TOOL_FAILED,
	  "main.cf:1: alias_maps: unknown table type 'hsah'" },
	{ "table in restrictions", "smtpd_client_restrictions = check_client_access cidr:/nowhere/c\n", rows, TOOL_OK,
	  "smtpd_client_restrictions: cannot open table /nowhere/c" },
	{ "table type of Postfix", "virtual_alias_maps = proxy:mysql:/etc/postfix/v.cf\n", rows, TOOL_FAILED,
	  "main.cf:1: virtual_alias_maps: table type 'mysql' is not built in" },
	{ "domains in a file", "mydestination = localhost, /nowhere/domains\n", rows, TOOL_FAILED,
	  "main.cf:1: mydestination: cannot read the domains in /nowhere/domains: No such" },
	{ "ids of POP3", "pop3_uidl_format = %m\n", rows, TOOL_FAILED, "main.cf:1: pop3_uidl_format: \"%m\"" },
	{ "relayhost", "relayhost = [mail.isp.example]:587\n", rows, TOOL_OK,
	  "main.cf:1: relayhost: the SMTP client is not built in yet: mail for [mail.isp.example]:587 waits in the queue" },
	{ "no relayhost", "relayhost =\ndefault_transport = error:no\nvirtual_transport = virtual\n", rows, TOOL_OK, "" },
	{ "lmtp", "mailbox_transport = lmtp:unix:private/dovecot-lmtp\n", rows, TOOL_OK,
	  "main.cf:1: mailbox_transport: no agent serves 'lmtp' yet" },
	{ "table without its restriction", "smtpd_sender_restrictions = hash:/etc/a, permit\n", rows, TOOL_FAILED,
	  "smtpd_sender_restrictions: 'hash:/etc/a' needs the name of its restriction in front: check_sender_access hash:/etc/a" },
	{ "restrictions to come", "smtpd_recipient_restrictions = permit_mynetworks reject_rbl_client a.example "
	  "reject_unknown_sender_domain check_policy_service unix:x reject_unauth_destination\n", rows, TOOL_FAILED,
	  "main.cf:1: smtpd_recipient_restrictions: not supported yet, take them out: reject_rbl_client, "
	  "reject_unknown_sender_domain, check_policy_service" },
	{ "Dovecot's blocks", "protocols = imap\npassdb {\n  driver = pam\n}\nservice imap-login {\ninet_listener imap {\n"
	  "port = 0\n}\n}\nfoo = x\n", rows, TOOL_FAILED, "main.cf:10: unknown parameter 'foo'" },
	{ "remedy for a block", "passdb {\n  driver = pam\n}\n", rows, TOOL_FAILED,
	  "main.cf:1: 'passdb {': blocks of Dovecot are not read; write auth_passdb = users, passwd-file:/path, pam" },
	{ "include", "!include conf.d/*.conf\n", rows, TOOL_FAILED, "main.cf:1: '!include' is not read: main.cf is one file" },
	{ "open to all", "mynetworks = 0.0.0.0/0\n", rows, TOOL_OK, "warning: " },
	{ "forbidden commands", "smtpd_forbidden_commands = CONNECT, regexp:/nowhere/x\n", rows, TOOL_FAILED,
	  "main.cf:1: smtpd_forbidden_commands: 'regexp:/nowhere/x': only tables within main.cf" },
	{ "forbidden commands of Postfix", "smtpd_forbidden_commands = CONNECT, regexp:{{/^[^A-Z]/ Bogus}}\n", rows, TOOL_OK, "" },
	{ "keyword of EHLO", "smtpd_discard_ehlo_keywords = pipelning\n", rows, TOOL_FAILED,
	  "main.cf:1: smtpd_discard_ehlo_keywords: 'pipelning' is not supported; did you mean 'pipelining'?" },
	{ "keyword of EHLO in a row", "", "25 inet n - y - - smtpd\n  -o smtpd_discard_ehlo_keywords=chunkng\n", TOOL_FAILED,
	  "master.cf:1: smtpd_discard_ehlo_keywords: 'chunkng' is not supported; did you mean 'chunking'?" },
	{ "who gets headers", "local_header_rewrite_clients = permit_mynetwork\n", rows, TOOL_FAILED,
	  "main.cf:1: local_header_rewrite_clients: 'permit_mynetwork' is not supported; did you mean 'permit_mynetworks'?" },
	{ "mechanisms", "smtpd_sasl_security_options = noplaintex\n", rows, TOOL_FAILED,
	  "main.cf:1: smtpd_sasl_security_options: 'noplaintex' is not supported; did you mean 'noplaintext'?" },
	{ "versions of TLS", "smtpd_tls_protocols = !TLSv2\n", rows, TOOL_FAILED, "main.cf:1: smtpd_tls_protocols: unknown version" },
	{ "no version of TLS", "smtpd_tls_mandatory_protocols = TLSv1\n", "25 inet n - y - - smtpd -o smtpd_tls_security_level=encrypt\n",
	  TOOL_FAILED, "main.cf:1: smtpd_tls_mandatory_protocols: 'TLSv1' leaves neither" },
	{ "networks of smtpd", "smtpd_sasl_exceptions_networks = 10.0.0.1/8\n", rows, TOOL_FAILED,
	  "main.cf:1: smtpd_sasl_exceptions_networks: " },
	{ "authorities", "smtpd_tls_CAfile = /nowhere/ca\n", rows, TOOL_FAILED, "main.cf:1: smtpd_tls_CAfile: cannot open /nowhere/ca" },
	{ "chain", "smtpd_tls_chain_files = /nowhere/c\n", rows, TOOL_FAILED, "main.cf:1: smtpd_tls_chain_files: cannot open /nowhere/c" },
	{ "networks of login", "login_trusted_networks = 10.0.0.1/8\n", "imap inet n - y - - login\n", TOOL_FAILED, "main.cf:1: login_trusted_networks: " },
	{ "table in a row", "", "25 inet n - y - - smtpd -o smtpd_sender_login_maps=hash:/nowhere/l\n", TOOL_OK,
	  "master.cf:1: smtpd_sender_login_maps: table /nowhere/l.lmdb does not exist; to make it run: surat map /nowhere/l" },
	{ "classes of notices", "notify_classes = 2bounc\n", rows, TOOL_FAILED,
	  "main.cf:1: notify_classes: '2bounc' is none of 2bounce bounce data delay policy protocol resource software; did you mean "
	  "'2bounce'?" },
	{ "where commands are allowed", "allow_mail_to_commands = aliases\n", rows, TOOL_FAILED, "did you mean 'alias'?" },
	{ "where extensions go", "propagate_unmatched_extensions = virtul\n", rows, TOOL_FAILED, "did you mean 'virtual'?" },
	{ "name servers", "resolve_dns_server = 127.0.0.1@53, dns.example\n", rows, TOOL_FAILED,
	  "main.cf:1: resolve_dns_server: 'dns.example' is neither an address nor address@port" },
	{ "format of logins", "auth_username_format = %Lu@x\n", rows, TOOL_FAILED, "main.cf:1: auth_username_format: '%Lu@x' is none of" },
	{ "host bits", "mynetworks = 127.0.0.0/8 10.0.0.1/24\n", rows, TOOL_FAILED, "the network is 10.0.0.0/24" },
	{ "file of networks", "mynetworks = /etc/networks\n", rows, TOOL_FAILED, "neither an address nor a network" },
	{ "table of networks", "mynetworks = cidr:/nowhere/n\n", rows, TOOL_FAILED,
	  "mynetworks: cannot open /nowhere/n" },
	{ "protocols", "inet_protocols = ipv5\n", rows, TOOL_FAILED, "main.cf:1: inet_protocols: 'ipv5'" },
	{ "mailbox limit", "mailbox_size_limit = 5 MB\nmessage_size_limit = 10M\n", rows, TOOL_OK,
	  "main.cf:1: mailbox_size_limit" },
	{ "mbox", "home_mailbox = mbox\n", rows, TOOL_OK, "main.cf:1: home_mailbox: 'mbox' does not end with '/'" },
	{ "mailbox format", "mail_location = mbox:~/mail\n", rows, TOOL_FAILED, "main.cf:1: mail_location: " },
	{ "option of a mailbox", "mail_location = maildir:~/Maildir:INDX=/x\n", rows, TOOL_FAILED,
	  "unknown option \"INDX=/x\"" },
	{ "index elsewhere", "mail_location = maildir:~/Maildir:INDEX=/var/index/%u\n", rows, TOOL_OK, "" },
	{ "first folders", "mailbox_defaults = \"Sent\n", rows, TOOL_FAILED, "main.cf:1: mailbox_defaults: " },
	{ "special use", "mailbox_defaults = Sent:\\Snet\n", rows, TOOL_FAILED, "main.cf:1: mailbox_defaults: " },
	{ "protocol of others", "protocols = imap lmtp\n", rows, TOOL_OK, "main.cf:1: protocols: 'lmtp' is not served" },
	{ "unknown protocol", "protocols = imao pop3\n", rows, TOOL_FAILED,
	  "main.cf:1: protocols: unknown protocol 'imao'; did you mean 'imap'?" },
	{ "certificate missing", "smtpd_tls_cert_file = /nowhere/c.pem\n", rows, TOOL_FAILED,
	  "cannot open /nowhere/c.pem" },
	{ "certificate wanted", "", "465 inet n - y - - smtpd -o smtpd_tls_wrappermode=yes\n", TOOL_FAILED,
	  "service '465' needs TLS" },
	{ "certificate wanted by login", "", "995 inet n - y - - login -o login_tls_wrappermode=yes\n", TOOL_FAILED,
	  "service '995' begins with TLS" },
	{ "protocol of login", "", "8110 inet n - y - - login\n", TOOL_FAILED,
	  "master.cf:1: service '8110': which protocol?" },
	{ "protocols of login", "", "8143 inet n - y - - login -o login_protocol=imap\nimap inet n - y - - login\n",
	  TOOL_OK, "" },
	{ "open relay", "", "25 inet n - y - - smtpd -o smtpd_relay_restrictions=permit_mynetworks\n", TOOL_FAILED,
	  "would relay for everybody" },
	{ "restriction misspelt", "smtpd_recipient_restrictions = permit_mynetwork, reject\n", rows, TOOL_FAILED,
	  "main.cf:1: smtpd_recipient_restrictions: unknown restriction" },
	{ "no service", "", "", TOOL_OK, "no service runs smtpd" },
	{ "two classes", "mydestination = a.example\nvirtual_alias_domains = A.example\n", rows, TOOL_OK,
	  "'A.example' stands in mydestination too" },
	{ "mechanism for nobody", "auth_mechanisms = plain cram-md5\nauth_passdb = pam\n", rows, TOOL_OK,
	  "no account can use cram-md5" },
	{ "passwd-file", "auth_passdb = passwd-file:/nowhere/p\n", rows, TOOL_OK, "main.cf:1: auth_passdb: cannot read /nowhere/p" },
	{ "unknown mechanism", "auth_mechanisms = gssapi\n", rows, TOOL_FAILED, "'gssapi' is none of" },
};

static void test_check(void **state)
{
	struct run r;
	size_t i;
	int status;

	for (i = 0; i < ARRAY_LEN(checks); i++) {
		print_message("# %s\n", checks[i].label);
		begin(&r, checks[i].main_cf, checks[i].master_cf);
		status = run(&r, "check");
		if (status != checks[i].status || !strstr(r.out, checks[i].message))
			fail_msg("%d %s", status, r.out);
		end(&r);
	}
}

/* What stands in the files: the line, and what is wrong with it. */
static void test_check_files(void **state)
{
	static const struct { const char *file, *text, *message; } files[] = {
		{ "text", "a b\nalone\n\nc d\n", "/text:2: " },
		{ "pcre", "/a/ OK\n/(/ OK\n", "/pcre:2: in pattern '(' at 1: missing closing parenthesis" },
		{ "regexp", "# x\nif /a/\n/b/ OK\n", "endif" },
		{ "cidr", "10.0.0.0/8 OK\n10.0.0.1/24 OK\n", "/cidr:2: " },
	};
	char *one = fixture_make_pem(), *two = fixture_make_pem(), *key = strstr(two, "-----BEGIN PRIVATE KEY");
	char conf[3000];
	struct run r;
	size_t i;

	begin(&r, "", rows);
	for (i = 0; i < ARRAY_LEN(files); i++)
		tmpdir_write(&r.dir, files[i].file, files[i].text);
	tmpdir_write(&r.dir, "key", key);
	*strstr(one, "-----BEGIN PRIVATE KEY") = '\0';
	tmpdir_write(&r.dir, "cert", one);
	snprintf(conf, sizeof(conf), "transport_maps = texthash:%s/text, pcre:%s/pcre, regexp:%s/regexp, cidr:%s/cidr\n"
		 "ssl_cert = %s/cert\nssl_key = %s/key\n", r.dir.path, r.dir.path, r.dir.path, r.dir.path, r.dir.path, r.dir.path);
	tmpdir_write(&r.dir, "main.cf", conf);
	assert_int_equal(run(&r, "check"), TOOL_FAILED);
	for (i = 0; i < ARRAY_LEN(files); i++)
		if (!strstr(r.out, files[i].message))
			fail_msg("%s: %s", files[i].message, r.out);
	if (!strstr(r.out, "main.cf:2: ssl_cert: ") || !strstr(r.out, "match"))
		fail_msg("the key: %s", r.out);
	end(&r);
	free(one);
	free(two);
}

/* A certificate of a day, before it, within it and long after. */
static void test_check_dates(void **state)
{
	static const char main_cf[] = "mailbox_size_limit = 0\nvirtual_mailbox_limit = 0\nalias_maps =\n";
	static const char services[] = "25 inet n - y - - smtpd\nimap inet n - y - - login\n";
	static const struct { const char *label, *params, *message; int64_t hours; } cases[] = {
		{ "good", "ssl_cert = @\nssl_key = @\n", NULL, 0 },
		{ "expired", "ssl_cert = @\nssl_key = @\n", "warning: $/main.cf:4: ssl_cert: @: the certificate of 'mx.example.com' "
		  "has expired on 2", 48 },
		{ "to come", "ssl_cert = @\nssl_key = @\n", "warning: $/main.cf:4: ssl_cert: @: the certificate of 'mx.example.com' "
		  "is not valid before 2", -48 },
		{ "of smtpd", "smtpd_tls_cert_file = @\nsmtpd_tls_key_file = @\n", "warning: $/main.cf:4: smtpd_tls_cert_file: @: the ", 48 },
		{ "chain", "smtpd_tls_chain_files = @\n", "warning: $/main.cf:4: smtpd_tls_chain_files: @: the ", 48 },
		{ "unused", "ssl = no\nssl_cert = @\nssl_key = @\nsmtpd_tls_cert_file =\n", NULL, 48 },
	};
	char *pem = fixture_make_pem();
	uint64_t now = clock_wall_ms();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str conf = STR_INIT(3000), want = STR_INIT(3000);
		const char *found;
		struct run r;

		print_message("# %s\n", cases[i].label);
		begin(&r, "", services);
		tmpdir_write(&r.dir, "pem", pem);
		assert_int_equal(str_addz(&conf, main_cf), 0);
		for (const char *p = cases[i].params; *p; p++)
			assert_int_equal(*p == '@' ? str_addz(&conf, r.dir.file) : str_addc(&conf, *p), 0);
		for (const char *p = cases[i].message; p && *p; p++)
			assert_int_equal(*p == '@' ? str_addz(&want, r.dir.file) : *p == '$' ? str_addz(&want, r.dir.path) :
					 str_addc(&want, *p), 0);
		tmpdir_write(&r.dir, "main.cf", conf.p);
		clock_fake_ms(now + (uint64_t)(cases[i].hours * 3600 * 1000));
		assert_int_equal(run(&r, "check"), TOOL_OK);
		clock_fake_ms(0);
		found = strstr(r.out, want.n ? want.p : "the certificate");
		/* told once for both services */
		if (!found != !want.n || (found && strstr(found + 1, want.p)))
			fail_msg("%s", r.out);
		str_fini(&conf);
		str_fini(&want);
		end(&r);
	}
	free(pem);
}

/* One of each kind: none hides another, and each has its place. */
static void test_check_all(void **state)
{
	static const char main_cf[] =
		"myhostname = mx.example.com\nmydestnation = a\nsmtpd_timeout = soon\nmydomain = $nosuch\n"
		"message_size_limit = huge\nssl_min_protocol = TLSv9\ntransport_maps = x\n"
		"smtpd_client_restrictions = rejct\nmynetworks = 10.0.0.1/24\ninet_protocols = ipv5\nhome_mailbox = mbox\n"
		"mail_location = mbox:~/mail\nmailbox_defaults = \"Sent\nauth_mechanisms = gssapi\n"
		"alias_maps = hsah:/etc/aliases\nssl_cert = /nowhere\nmail_uid = nobody-there\n"
		"virtual_mailbox_domains = x.example\nvirtual_mailbox_maps = static:x\n";
	static const char master_cf[] =
		"smtp inet n - y - - smptd\n8110 inet n - y - - login\n465 inet n - y - - smtpd -o smtpd_tls_wrappermode=yes\n"
		" -o smtpd_tiemout=3 -o smtpd_tls_cert_file=\n25 inet n - y - - smtpd -o smtpd_hard_error_limit=x -o smtpd_recipient_restrictions=permit\n"
		" -o smtpd_relay_restrictions=permit -o smtpd_client_restrictions=\n587 inet n - y - - smtpd\n"
		" -o smtpd_helo_restrictions=rejct\n";
	static const struct {
		const char *file;
		unsigned from, to;
	} lines[] = { { "main.cf", 2, 18 }, { "master.cf", 1, 3 }, { "master.cf", 5, 5 }, { "master.cf", 7, 7 } };
	static const char *const twice[] = { "master.cf:3: unknown parameter", "master.cf:3: service '465' needs TLS",
		"master.cf:5: smtpd_hard_error_limit", "master.cf:5: service '25' would relay" };
	char want[40];
	struct run r;
	size_t i;
	unsigned n;

	begin(&r, main_cf, master_cf);
	assert_int_equal(run(&r, "check"), TOOL_FAILED);
	for (i = 0; i < ARRAY_LEN(lines); i++) {
		for (n = lines[i].from; n <= lines[i].to; n++) {
			snprintf(want, sizeof(want), "/%s:%u: ", lines[i].file, n);
			if (!strstr(r.out, want))
				fail_msg("nothing of %s in\n%s", want, r.out);
		}
	}
	for (i = 0; i < ARRAY_LEN(twice); i++) {
		if (!strstr(r.out, twice[i]))
			fail_msg("no %s in\n%s", twice[i], r.out);
	}
	end(&r);
}

static void test_check_json(void **state)
{
	struct run r;

	begin(&r, "mydestnation = a\nbiff = no\nreadme_directory = no\n", rows);
	expect(&r, "check|-j", TOOL_FAILED, "\"warnings\": [", "");
	assert_null(strstr(r.out, "\"warning: "));
	end(&r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_commands),
	cmocka_unit_test(test_config_shows),
	cmocka_unit_test(test_config_mends),
	cmocka_unit_test(test_config_edits),
	cmocka_unit_test(test_map),
	cmocka_unit_test(test_newaliases),
	cmocka_unit_test(test_check),
	cmocka_unit_test(test_check_files),
	cmocka_unit_test(test_check_dates),
	cmocka_unit_test(test_check_all),
	cmocka_unit_test(test_check_json),
};

MAIN(tests)
