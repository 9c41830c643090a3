# A reject code below 500 for unknown recipients: the client may come back.
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
C: RCPT TO:<later@example.com>
S: 450 4.1.1 <later@example.com>: Recipient address rejected: User unknown in local recipient table
@log NOQUEUE: reject: RCPT from *: 450 4.1.1 <later@example.com>: *
C: QUIT
S: 221 *
