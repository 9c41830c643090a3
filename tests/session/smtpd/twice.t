# A recipient who is named twice gets one copy (Postfix: duplicate_filter_limit), unless what is said of notices differs.
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: RCPT TO:<TITO@Example.COM>
S: 250 2.1.5 Ok
C: RCPT TO:<tito@example.com> NOTIFY=NEVER
S: 250 2.1.5 Ok
C: RCPT TO:<tito>
S: 250 2.1.5 Ok
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mail sender=a@b.example * rcpt=tito@example.com,,0 rcpt=tito@example.com,,1
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mail sender=a@b.example * rcpt=tito@example.com,,0
C: QUIT
S: 221 *
@eof
# they count all the same
@conf smtpd_recipient_limit = 2
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: RCPT TO:<tito@example.com>
S: 452 4.5.3 *
