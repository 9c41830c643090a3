/* cmd.h: the SMTP verbs; a handler gets the arguments and answers, or leaves a call pending and answers when it ends */
#ifndef SMTPD_CMD_H
#define SMTPD_CMD_H

#include "base/span.h"
#include "io/stream.h"

struct session;

/* States in which a verb is legal. */
enum cmd_state { CMD_ST_NEW = 1, CMD_ST_HELO = 2, CMD_ST_MAIL = 4, CMD_ST_RCPT = 8, CMD_ST_BDAT = 16, CMD_ST_ANY = 31 };

enum cmd_flags {
	CMD_PRE_TLS = 1,        /* allowed before STARTTLS where TLS is enforced */
	CMD_LAST = 2,           /* ends a group of pipelined commands (RFC 2920 section 3.1): it changes what follows */
	CMD_JUNK = 4,           /* counts against smtpd_junk_command_limit */
};

struct cmd {
	const char *name;
	void (*fn)(struct session *s, struct span args);
	unsigned states, flags;
	const char *order;      /* reply when the state is wrong */
};

/* Sorted as Postfix lists them in the disconnect line. Source: cmd.c */
extern const struct cmd cmd_table[];
extern const size_t cmd_count;

/* Takes one line without its end. Source: cmd.c */
void cmd_dispatch(struct session *s, struct span line);

void cmd_helo(struct session *s, struct span args);             /* Source: cmd_helo.c */
void cmd_ehlo(struct session *s, struct span args);
void cmd_starttls(struct session *s, struct span args);         /* Source: cmd_starttls.c */
void cmd_auth(struct session *s, struct span args);             /* Source: cmd_auth.c */
void cmd_mail(struct session *s, struct span args);             /* Source: cmd_mail.c */
void cmd_rcpt(struct session *s, struct span args);             /* Source: cmd_rcpt.c */
void cmd_data(struct session *s, struct span args);             /* Source: cmd_data.c */
void cmd_bdat(struct session *s, struct span args);
void cmd_rset(struct session *s, struct span args);             /* Source: cmd.c */
void cmd_noop(struct session *s, struct span args);
void cmd_vrfy(struct session *s, struct span args);             /* Source: cmd_rcpt.c */
void cmd_help(struct session *s, struct span args);
void cmd_quit(struct session *s, struct span args);

/* Steps of the modes other than COMMAND; IO_OK when something was done, IO_AGAIN when input is missing. */
enum io_rc cmd_starttls_step(struct session *s);                /* waits until the 220 has left */
enum io_rc cmd_starttls_handshake(struct session *s);
enum io_rc cmd_auth_step(struct session *s);
enum io_rc cmd_data_step(struct session *s);
enum io_rc cmd_data_skip(struct session *s);

/* What AUTH may offer now, as " PLAIN LOGIN"; false when nothing. Source: cmd_auth.c */
bool cmd_auth_offer(const struct session *s, struct str *out);

/* Connection set-up until the greeting. Source: connect.c */
void connect_begin(struct session *s);
void connect_greet(struct session *s);

#endif
