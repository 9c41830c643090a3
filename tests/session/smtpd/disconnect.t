S: 220 *
@log connect from client.example?192.0.2.1?
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
C: RCPT TO:<nobody@example.com>
S: 550 *
C: RCPT TO:<tito@example.com>
S: 250 *
@close
@log lost connection after RCPT from client.example?192.0.2.1?
@log disconnect from client.example?192.0.2.1? ehlo=1 mail=1 rcpt=1/2 commands=3/4
@connect
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: half a message
@close
@log lost connection after DATA from client.example?192.0.2.1?
@log disconnect from client.example?192.0.2.1? helo=1 mail=1 rcpt=1 data=0/1 commands=3/4
@mails 0
@connect
S: 220 *
@close
@log lost connection after CONNECT from client.example?192.0.2.1?
@log disconnect from client.example?192.0.2.1? commands=0
@conf smtpd_timeout = 1
S: 220 *
S: 421 4.4.2 mx.example.com Error: timeout exceeded
@log timeout after CONNECT from client.example?192.0.2.1?
@eof
