@conf smtpd_hard_error_limit = 100
@conf smtpd_error_sleep_time = 0
S: 220 mx.example.com ESMTP Surat
C: NOOP
S: 250 2.0.0 Ok
C: HELO c.example
S: 250 mx.example.com
C: MAIL FROM:<a@b.example> FOO=1
S: 555 5.5.4 Unsupported option: FOO=1
C: MAIL FROM:<a@b.example> SIZE=1 BODY=8BITMIME RET=HDRS
S: 250 2.1.0 Ok
C: RCPT TO:<tito@example.com> NOTIFY=DELAY
S: 250 2.1.5 Ok
C: RSET
S: 250 2.0.0 Ok
C: RCPT TO:<tito@example.com>
S: 503 5.5.1 Error: need MAIL command
C: DATA
S: 503 5.5.1 Error: need RCPT command
C: EHLO
S: 501 Syntax: EHLO hostname
C: EHLO c.example
S: 250-mx.example.com
S: 250-PIPELINING
S: 250-SIZE 10240000
S: 250-VRFY
S: 250-ENHANCEDSTATUSCODES
S: 250-8BITMIME
S: 250-DSN
S: 250-SMTPUTF8
S: 250 CHUNKING
C: MAIL FROM:<a@b.example> SIZE=10240001
S: 552 5.3.4 Message size exceeds fixed limit
@log NOQUEUE: reject: MAIL from client.example?192.0.2.1?: 552 5.3.4 Message size exceeds fixed limit; from=<a@b.example> proto=ESMTP helo=<c.example>
C: MAIL FROM:<a@b.example
S: 501 5.1.7 Bad sender address syntax
@log warning: Illegal address syntax from client.example?192.0.2.1? in MAIL command: <a@b.example
C: MAIL FROM:<a@b.example> FOO=BAR
S: 555 5.5.4 Unsupported option: FOO=BAR
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: MAIL FROM:<a@b.example>
S: 503 5.5.1 Error: nested MAIL command
C: DATA
S: 503 5.5.1 Error: need RCPT command
C: RCPT TO:<no body@example.com>
S: 501 5.1.3 Bad recipient address syntax
@log warning: Illegal address syntax from client.example?192.0.2.1? in RCPT command: <no body@example.com>
C: RCPT TO:<nobody@example.com>
S: 550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown in local recipient table
@log NOQUEUE: reject: RCPT from client.example?192.0.2.1?: 550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown in local recipient table; from=<a@b.example> to=<nobody@example.com> proto=ESMTP helo=<c.example>
C: DATA
S: 554 5.5.1 Error: no valid recipients
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: RSET
S: 250 2.0.0 Ok
C: RCPT TO:<tito@example.com>
S: 503 5.5.1 Error: need MAIL command
C: MAIL FROM:<a@b.example> SIZE=1001
S: 250 2.1.0 Ok
C: RCPT TO:<full@example.com>
S: 552 5.2.2 <full@example.com>: Recipient address rejected: Mailbox is full
C: RSET
S: 250 *
C: MAIL FROM:<a@b.example> SIZE=1000
S: 250 2.1.0 Ok
C: RCPT TO:<full@example.com>
S: 250 2.1.5 Ok
C: RSET
S: 250 *
C: VRFY tito
S: 252 2.0.0 tito@example.com
C: VRFY <tito@example.com> SMTPUTF8
S: 252 2.0.0 tito@example.com
C: VRFY nobody@example.com
S: 550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown in local recipient table
@log NOQUEUE: reject: VRFY from client.example?192.0.2.1?: 550 5.1.1 <nobody@example.com>: *; to=<nobody@example.com> proto=ESMTP helo=<c.example>
C: VRFY x@other.example
S: 554 5.7.1 <x@other.example>: Relay access denied
C: VRFY temp@example.com
S: 451 4.3.0 <temp@example.com>: Temporary lookup failure
C: VRFY <>
S: 501 5.5.4 Syntax: VRFY address
C: VRFY a b
S: 501 5.1.3 Bad recipient address syntax
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: VRFY nobody@example.com
S: 550 5.1.1 *
C: VRFY tito@example.com
S: 252 2.0.0 tito@example.com
C: DATA
S: 503 5.5.1 Error: need RCPT command
C: RCPT TO:<iqbal@example.com>
S: 250 2.1.5 Ok
C: VRFY tito@example.com
S: 252 2.0.0 tito@example.com
C: RSET
S: 250 2.0.0 Ok
C: VRFY
S: 501 5.5.4 Syntax: VRFY address
C: HELP
S: 214-2.0.0 *
S: 214 2.0.0 See RFC 5321
C: EXPN list
S: 502 5.5.1 Error: command not implemented
C: XYZZY
S: 500 5.5.2 Error: command not recognized
R: NOOP a\0b\r\n
S: 500 5.5.2 Error: invalid character in command
R: NOOP a\rb\r\n
S: 500 5.5.2 Error: invalid character in command
C: AUTH PLAIN
S: 503 5.5.1 Error: authentication not enabled
C: STARTTLS
S: 502 5.5.1 Error: command not implemented
C: QUIT
S: 221 2.0.0 Bye
@eof
@conf smtpd_hard_error_limit = 100
@conf smtpd_error_sleep_time = 0
@conf disable_vrfy_command = yes
@conf smtpd_helo_required = yes
@conf smtpd_discard_ehlo_keywords = chunking, dsn, pipelining smtputf8 8bitmime size
S: 220 *
C: MAIL FROM:<>
S: 503 5.5.1 Error: send HELO/EHLO first
C: VRFY tito
S: 502 5.5.1 VRFY command is disabled
C: EHLO c.example
S: 250-mx.example.com
S: 250 ENHANCEDSTATUSCODES
C: VRFY tito
S: 502 5.5.1 VRFY command is disabled
C: BDAT 4
C: ABCD
S: 502 5.5.1 Error: command not implemented
S: 500 5.5.2 Error: command not recognized
C: MAIL FROM:<> BODY=8BITMIME
S: 555 5.5.4 Unsupported option: BODY=8BITMIME
C: QUIT now
S: 501 5.5.4 Syntax: QUIT
C: HELO c.example
S: 250 mx.example.com
C: QUIT
S: 221 2.0.0 Bye
