#include "auth/pam.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A prompt without echo is the one for the password; others get an empty answer. PAM frees the answers. */
static int converse(int n, const struct pam_message **msg, struct pam_response **resp, void *arg)
{
	struct pam_response *r;
	int i;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	r = xcalloc((size_t)n, sizeof(*r));
	for (i = 0; i < n; i++) {
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = xstrdup(arg);
		else if (msg[i]->msg_style == PAM_PROMPT_ECHO_ON)
			r[i].resp = xstrdup("");
	}
	*resp = r;
	return PAM_SUCCESS;
}

static void no_delay(int retval, unsigned usec, void *arg)
{
}

static bool is_definite(int rc)
{
	switch (rc) {
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_CRED_INSUFFICIENT:
		return true;
	default:
		return false;
	}
}

/* libpam takes its delay function as a void pointer. */
union delay_item {
	void (*fn)(int, unsigned, void *);
	const void *p;
};

enum msg_status pam_verify(const char *confdir, const char *service, const char *user, const char *password,
			   const char *remote_addr, char *text, size_t size)
{
	struct pam_conv conv = { converse, (void *)(uintptr_t)password };
	union delay_item delay = { .fn = no_delay };
	pam_handle_t *h = NULL;
	int rc;

	text[0] = '\0';
	rc = confdir ? pam_start_confdir(service, user, &conv, confdir, &h) : pam_start(service, user, &conv, &h);
	if (rc != PAM_SUCCESS) {
		snprintf(text, size, "PAM does not start: error %d", rc);
		return MSG_TEMP;
	}
	pam_set_item(h, PAM_FAIL_DELAY, delay.p);
	pam_set_item(h, PAM_TTY, "surat");
	if (remote_addr[0])
		pam_set_item(h, PAM_RHOST, remote_addr);
	rc = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (rc == PAM_SUCCESS)
		rc = pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	snprintf(text, size, "%s", pam_strerror(h, rc));
	pam_end(h, rc);
	return rc == PAM_SUCCESS ? MSG_OK : is_definite(rc) ? MSG_NO : MSG_TEMP;
}
