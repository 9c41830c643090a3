@conf unknown_local_recipient_reject_code = 450
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: RCPT TO:<nobody@example.com>
S: 450 4.1.1 <nobody@example.com>: Recipient address rejected: *
# the other classes keep theirs
C: RCPT TO:<nobody@alias.example>
S: 550 5.1.1 <nobody@alias.example>: *
C: RCPT TO:<nobody@mailbox.example>
S: 550 5.1.1 <nobody@mailbox.example>: *
C: RCPT TO:<nobody@relay.example>
S: 550 5.1.1 <nobody@relay.example>: *
