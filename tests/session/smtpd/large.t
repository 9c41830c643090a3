@chunk 1000000
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: Subject: large
C:
@fill 3000
C: end
C: .
S: 250 2.0.0 Ok: queued as ?*
@mails 1
@body Subject: large
@body end
@body 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
@fill 1000
@close
@mails 1
@aborts 1
@conf message_size_limit = 100k
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
@fill 3000
C: .
S: 552 5.3.4 Error: message file too big
C: NOOP
S: 250 2.0.0 Ok
@mails 1
@aborts 2
# exactly what travels in a frame, and a little more
@refuse 4.3.1
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: Subject: x
C:
@fill 775
C: .
S: 452 4.3.1 Insufficient system storage
