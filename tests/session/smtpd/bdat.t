@conf smtpd_error_sleep_time = 0
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-PIPELINING
S: 250-SIZE*
S: 250-VRFY
S: 250-ENHANCEDSTATUSCODES
S: 250-8BITMIME
S: 250-DSN
S: 250-SMTPUTF8
S: 250 CHUNKING
C: MAIL FROM:<a@b.example>
C: RCPT TO:<tito@example.com>
C: BDAT 6
C: A: b
C: BDAT 6
R: \r\n.\r\nx
C: BDAT 6 LAST
R: \nMAIL\r
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 250 2.0.0 Ok: 6 bytes
S: 250 2.0.0 Ok: 6 bytes
S: 250 2.0.0 Ok: queued as ?*
@mails 1
@body A: b
@body .
@body x
@body MAIL?
# a chunk without recipients is swallowed, never read as commands
C: BDAT 12 LAST
C: QUIT
R: NOOP\r\n
S: 503 5.5.1 Error: need MAIL command
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: BDAT 6 LAST
R: QUIT\r\n
S: 503 5.5.1 Error: need RCPT command
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: BDAT 0
S: 250 2.0.0 Ok: 0 bytes
C: RCPT TO:<tito@example.com>
S: 503 5.5.1 Error: the message has begun with BDAT
C: DATA
S: 503 5.5.1 Error: the message has begun with BDAT
C: BDAT 0 LAST
S: 250 2.0.0 Ok: queued as ?*
@mails 2
# without a count nothing that follows can be told from content
C: BDAT x
S: 501 5.5.4 Syntax: BDAT count [[]LAST]
@eof
@conf message_size_limit = 10
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-PIPELINING
S: 250-SIZE 10
S: 250-VRFY
S: 250-ENHANCEDSTATUSCODES
S: 250-8BITMIME
S: 250-DSN
S: 250-SMTPUTF8
S: 250 CHUNKING
C: MAIL FROM:<a@b.example>
C: RCPT TO:<tito@example.com>
C: BDAT 16
R: A: 0123456789\r\n\n
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 552 5.3.4 Error: message file too big
C: BDAT 6 LAST
C: QUIT
S: 503 5.5.1 Error: need MAIL command
C: BDAT 18446744073709551616 LAST
S: 501 *
@eof
