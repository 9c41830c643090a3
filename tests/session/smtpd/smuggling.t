# only CRLF.CRLF ends a message, and what is stored holds no bare CR or LF (CVE-2023-51764)
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
R: one\n.\nMAIL FROM:<x@y>\r\n
R: two\n.\r\nMAIL FROM:<x@y>\r\n
R: three\r\n.\nMAIL FROM:<x@y>\r\n
R: four\r\r\n.\r\r\nMAIL FROM:<x@y>\r\n
R: five\r.\rMAIL FROM:<x@y>\r\n
R: six\r\n.\rMAIL FROM:<x@y>\r\n
R: seven\r.\r\nMAIL FROM:<x@y>\r\n
R: eight\n\r.\n\rMAIL FROM:<x@y>\r\n
R: nul\0.\r\n
R: .\r\n
S: 250 2.0.0 Ok: queued as ?*
@mails 1
@body five . MAIL FROM:<x@y>
C: QUIT
S: 221 *
@eof
@conf smtpd_forbid_bare_newline = reject
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
R: one\n.\nMAIL FROM:<x@y>\r\n.\r\n
S: 550 5.5.2 Error: bare <LF> received
@log bare <LF> received after DATA from client.example?192.0.2.1?
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
R: one\rtwo\r\n.\r\n
S: 550 5.5.2 Error: bare <CR> received
R: NOOP\n
S: 521 5.5.2 mx.example.com Error: bare <LF> received
@eof
@mails 1
