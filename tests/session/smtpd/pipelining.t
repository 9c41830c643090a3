@chunk 1000000
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
C: RCPT TO:<tito@example.com>
C: RCPT TO:<nobody@example.com>
C: RCPT TO:<iqbal@example.com>
C: DATA
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 550 5.1.1 *
S: 250 2.1.5 Ok
S: 354 *
C: a: b
C: .
C: MAIL FROM:<a@b.example>
C: RCPT TO:<tito@example.com>
C: RSET
C: NOOP
C: VRFY tito@example.com
C: HELP
C: QUIT
S: 250 2.0.0 Ok: queued as *
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 250 2.0.0 Ok
S: 250 2.0.0 Ok
S: 252 *
S: 214-*
S: 214 *
S: 221 2.0.0 Bye
@eof
@mails 1
