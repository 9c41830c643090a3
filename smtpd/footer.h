/* footer.h: smtpd_reject_footer: what stands behind each refusal */
#ifndef SMTPD_FOOTER_H
#define SMTPD_FOOTER_H

#include "base/str.h"
#include "smtpd/session.h"

/* text with the footer behind it, in *out: on lines of its own, or behind "\c" on the last line of text; "\n" breaks
 * lines; $client_address, $client_port, $localtime and $server_name are replaced. text alone, with a warning, when the
 * template names anything else. Source: footer.c */
struct span footer_add(const struct session *s, struct span text, struct str *out);

#endif
