# A reject code below 500 for unknown recipients: the client may come back.
@conf unknown_local_recipient_reject_code = 450
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
C: RCPT TO:<nobody@example.com>
S: 450 4.1.1 <nobody@example.com>: Recipient address rejected: User unknown in local recipient table
@log NOQUEUE: reject: RCPT from *: 450 4.1.1 <nobody@example.com>: *
C: QUIT
S: 221 *
