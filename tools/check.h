/* check.h: what surat check finds beyond wrong names and values */
#ifndef TOOLS_CHECK_H
#define TOOLS_CHECK_H

#include "conf/conf.h"
#include "conf/mastercf.h"

/* Each adds complete sentences to errors, warnings with "warning: " in front; c is read and correct. They block on
 * files. Sources: check_net.c, check_files.c, check_mail.c, check_services.c */
void check_networks(const struct conf *c, struct conf_errors *errors);
void check_tables(const struct conf *c, const struct mastercf *m, struct conf_errors *errors);
void check_starts(const struct conf *c, const struct mastercf *m, struct conf_errors *errors);
void check_words(const struct conf *c, struct conf_errors *errors);
void check_tls(const struct conf *c, const struct mastercf *m, struct conf_errors *errors);
void check_users(const struct conf *c, struct conf_errors *errors);
void check_logins(const struct conf *c, const struct mastercf *m, struct conf_errors *errors);
void check_limits(const struct conf *c, struct conf_errors *errors);
void check_mailboxes(const struct conf *c, struct conf_errors *errors);
void check_relaying(const struct conf *c, const struct mastercf *m, struct conf_errors *errors);
void check_domains(const struct conf *c, struct conf_errors *errors);
void check_agents(const struct conf *c, struct conf_errors *errors);
void check_auth(const struct conf *c, struct conf_errors *errors);

/* "main.cf:12: name" or "name" when it has its default; valid as long as errors. Source: check.c */
const char *check_where(const struct conf *c, const char *name, struct conf_errors *errors);

/* Adds "name: what is wrong" with the place of name in front, unless it has been told already. Source: check.c */
void check_told(const struct conf *c, const char *msg, struct conf_errors *errors);

/* Makes *out_r c, or the options of a service over c, without what is wrong in it, which has been told: default or
 * value of main.cf stand there instead, so that no error hides another. c must outlive it. Source: check.c */
void check_mend(struct conf *out_r, const struct conf *c);
void check_overlay(struct conf *out_r, const struct conf *c, const struct mastercf *m,
		   const struct mastercf_service *s);

#endif
