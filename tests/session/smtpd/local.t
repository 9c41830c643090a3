# a user of this machine on a named socket: the kernel says who it is
@unix uid=1000
S: 220 *
C: EHLO localhost
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: MAIL FROM:<root>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
@log ?*: uid=1000 from=<root@example.com>
C: DATA
S: 354 *
C: Subject: cron
C:
C: .
S: 250 2.0.0 *
@mail sender=root@example.com flags=80 * user=uid=1000 *
@body Date: *
@body From: root@example.com
