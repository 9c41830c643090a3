@conf smtpd_delay_reject = no
@conf smtpd_helo_required = yes
@conf smtpd_error_sleep_time = 0
@conf smtpd_client_restrictions = check_client_access inline:{192.0.2.66=REJECT, 192.0.2.67=421 not now, 192.0.2.68=DEFER_IF_PERMIT client}
@conf smtpd_helo_restrictions = reject_invalid_helo_hostname, check_helo_access inline:{soon.example=DEFER_IF_PERMIT helo}
@conf smtpd_sender_restrictions = check_sender_access inline:{evil.example=REJECT, soon.example=DEFER_IF_PERMIT sender}, sleep 0
@client 192.0.2.66
S: 554 5.7.1 <client.example?192.0.2.66?>: Client host rejected: Access denied
C: EHLO c.example
S: 503 5.7.0 Error: access denied for client.example?192.0.2.66?
C: NOOP
S: 503 5.7.0 Error: access denied for client.example?192.0.2.66?
C: XYZZY
S: 503 5.7.0 Error: access denied for client.example?192.0.2.66?
C: QUIT
S: 221 2.0.0 Bye
@eof
@client 192.0.2.67
S: 421 4.7.1 <client.example?192.0.2.67?>: Client host rejected: not now
@eof
@client 192.0.2.1
@connect
S: 220 *
C: HELO a..b
S: 501 5.5.2 *
@log NOQUEUE: reject: HELO from client.example?192.0.2.1?: 501 5.5.2 <a..b>: *helo=<a..b>
C: MAIL FROM:<a@b.example>
S: 503 5.5.1 Error: send HELO/EHLO first
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: EHLO a..b
S: 501 5.5.2 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: RCPT TO:<nobody@example.com>
S: 550 *
@log ?*: reject: RCPT from *proto=SMTP helo=<c.example>
C: HELO c.example
S: 250 *
C: RCPT TO:<tito@example.com>
S: 503 5.5.1 Error: need MAIL command
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@evil.example>
S: 554 5.7.1 <a@evil.example>: Sender address rejected: Access denied
@log NOQUEUE: reject: MAIL from client.example?192.0.2.1?: 554 5.7.1 <a@evil.example>: Sender address rejected: Access denied; from=<a@evil.example> proto=SMTP helo=<c.example>
C: RCPT TO:<tito@example.com>
S: 503 5.5.1 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@soon.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.1 <a@soon.example>: Sender address rejected: sender
C: RCPT TO:<x@other.example>
S: 554 5.7.1 <x@other.example>: Relay access denied
C: VRFY tito@example.com
S: 252 *
C: RSET
S: 250 *
C: HELO soon.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.1 <soon.example>: Helo command rejected: helo
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@client 192.0.2.68
@connect
S: 220 *
C: HELO soon.example
S: 250 *
C: MAIL FROM:<a@soon.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.1 <client.example?192.0.2.68?>: Client host rejected: client
