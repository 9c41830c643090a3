# a daemon that is away is never the client's fault for good
@conf smtpd_error_sleep_time = 0
@conf smtpd_sasl_auth_enable = yes
@conf disable_plaintext_auth = no
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-AUTH*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
@away auth
C: AUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0
S: 454 4.7.0 Temporary authentication failure
C: MAIL FROM:<a@b.example>
S: 250 *
@away resolve
C: RCPT TO:<tito@example.com>
S: 451 4.3.0 <tito@example.com>: Temporary lookup failure
@back resolve
C: RCPT TO:<tito@example.com>
S: 250 *
@away queue
C: DATA
S: 354 *
C: .
S: 451 4.3.0 Error: queue file write error
C: MAIL FROM:<a@b.example>
S: 451 4.3.0 Error: the mail queue is not available
@back queue
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
@refuse 4.3.0
C: .
S: 451 4.3.0 Error: queue file write error
@refuse 4.3.1
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 452 4.3.1 Insufficient system storage
@mails 0
@accept
@away anvil
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mails 1
@close
@away resolve
@connect
S: 220 *
@log connect from unknown?192.0.2.1?
C: QUIT
S: 221 *
