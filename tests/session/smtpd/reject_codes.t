# An unknown user gets the code of the class: below 500 the client may come back; another class keeps its own.
@conf unknown_local_recipient_reject_code = 450
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: RCPT TO:<nobody@example.com>
S: 450 4.1.1 <nobody@example.com>: Recipient address rejected: *
@log NOQUEUE: reject: RCPT from *: 450 4.1.1 <nobody@example.com>: *
C: QUIT
S: 221 *
@eof
@conf unknown_local_recipient_reject_code = 551
@conf unknown_relay_recipient_reject_code = 450
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: RCPT TO:<nobody@example.com>
S: 551 5.1.1 <nobody@example.com>: Recipient address rejected: *
C: QUIT
S: 221 *
@eof
# what an error: transport says of later
@conf smtpd_reject_unlisted_sender = yes
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<soon@example.com>
S: 250 2.1.0 Ok
C: RCPT TO:<tito@example.com>
S: 450 4.1.0 <soon@example.com>: Sender address rejected: come later
C: RSET
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: RCPT TO:<soon@example.com>
S: 450 4.7.1 <soon@example.com>: Recipient address rejected: come later
