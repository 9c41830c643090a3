#include <string.h>

#include "base/mem.h"
#include "login/server.h"

static int read_trusted(struct service *svc, struct err *err)
{
	const struct conf_list *l = &svc->conf.login_trusted_networks;
	size_t i;

	svc->trusted = arena_alloc(&svc->arena, (l->n + 1) * sizeof(*svc->trusted));
	for (i = 0; i < l->n; i++) {
		if (cidr_parse(&svc->trusted[i], span_z(l->v[i]), err) < 0)
			return err_wrap(err, "login_trusted_networks");
	}
	svc->n_trusted = l->n;
	return 0;
}

static int fill(struct service *svc, const struct conf *layer, struct err *err)
{
	struct auth_conf auth;
	struct global_conf global;
	const char *proto;

	if (login_conf_read(&svc->conf, layer, &svc->arena, err) < 0 || auth_conf_read(&auth, layer, &svc->arena, err) < 0 ||
	    imapd_conf_read(&svc->imap, layer, &svc->arena, err) < 0 || global_conf_read(&global, layer, &svc->arena, err) < 0)
		return -1;
	proto = svc->conf.login_protocol == LOGIN_PROTOCOL_POP3 ? "pop3" :
		svc->conf.login_protocol == LOGIN_PROTOCOL_IMAP ? "imap" : svc->name;
	svc->proto = protocol_find(proto);
	if (!svc->proto)
		return err_set(err, ERR_CONF, "master.cf: service %s: login does not speak %s; say -o login_protocol=imap",
			       svc->name, proto);
	svc->log_tag = strcmp(global.syslog_name, "dovecot") == 0 ? svc->proto->dovecot_tag :
		arena_printf(&svc->arena, "%s/%s:", global.syslog_name, svc->proto->log_tag);
	svc->is_implicit_tls = svc->conf.login_tls_wrappermode || protocol_is_implicit_tls(svc->name);
	svc->may_cleartext = !auth.disable_plaintext_auth || auth.auth_allow_cleartext;
	return read_trusted(svc, err);
}

struct service *service_new(const char *name, const struct conf *layer, struct err *err)
{
	struct service *svc = xnew(struct service);

	svc->refs = 1;
	svc->name = arena_strdup(&svc->arena, name);
	if (fill(svc, layer, err) < 0)
		service_unref(&svc);
	return svc;
}

struct service *service_ref(struct service *svc)
{
	svc->refs++;
	return svc;
}

void service_unref(struct service **at)
{
	struct service *svc = *at;

	*at = NULL;
	if (!svc || --svc->refs > 0)
		return;
	arena_fini(&svc->arena);
	free(svc);
}
